"""Command lines of NASLib's runners: `--key value` beside the stock `key value`, in any order.

Stock syntax is ``runner.py [--config-file FILE] [key value ...]``; whatever follows the first bare
word is a key or a value, `--seed` is accepted and ignored, and an unknown key is passed to `eval`.
Here the arguments are put into stock order first, keys are checked, and an unknown one is one error
that lists the known ones. What NASLib does with the result is left to NASLib.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

from naslib_swap import configs
from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.plugin import choices, failure, optimisers, repairs, settings

SWAP = "swap."
"""Keys that start so are settings of the plugin, see `naslib_swap.plugin.settings`."""

EXTRA: dict[str, type] = {
    "config_id": int,
    "n_models": int,
    "save_arch_weights": bool,
    "plot_arch_weights": bool,
    "search.crossover": float,
    "search.load_labeled": bool,
    "search.mutations": int,
    "search.offspring": int,
    "search.proxy": str,
    "search.removal": str,
    "search.use_zc_api": bool,
    "search.weighting": str,
    "search.zc": bool,
    "search.zc_names": list,
    "search.zc_only": bool,
    "start_idx": int,
    "zc_ensemble": bool,
    "zc_names": list,
    "zc_only": bool,
}
"""Keys that NASLib's code, or `swap_re`, reads and its default configurations lack."""

_IGNORED_BY_NASLIB = ("--seed",)


def patch(module: ModuleType) -> None:
    """Wrap `naslib.utils.get_config_from_args`."""
    original = module.get_config_from_args  # type: ignore[attr-defined]
    parse = module.parse_args  # type: ignore[attr-defined]
    parser = module.default_argument_parser()  # type: ignore[attr-defined]

    @functools.wraps(original)
    @failure.loud
    def get_config_from_args(args: Any = None, config_type: str = "nas") -> Any:
        words = list(sys.argv[1:])
        if args is not None or "-f" in words or "-h" in words or "--help" in words:
            # Another parser's result, or a notebook kernel's own arguments: not ours to read.
            config = original(args=args, config_type=config_type)
            optimisers.settle(config, config_type, sys._getframe(2))
            return config
        options, pairs = split(words, _options(parser))
        options = with_packaged_config(options)
        namespace = parse(args=options)
        defaults = _defaults(module, namespace, config_type)
        known = flattened(defaults)
        ours = {k[len(SWAP) :]: v for k, v in pairs.items() if k.startswith(SWAP)}
        pairs = {k: v for k, v in pairs.items() if not k.startswith(SWAP)}
        check_keys(pairs, known)
        settings.configure({**dict(defaults.get("swap", {})), **ours})
        values = {key: literal(key, text, _type_of(key, known)) for key, text in pairs.items()}
        # Frame 0 is this function, 1 is `loud`'s wrapper, 2 is the runner that called.
        caller = sys._getframe(2)
        given = set(values) | (set(known) if namespace.config_file else set())
        choices.check({**known, **values}, given, config_type, caller.f_globals.get("__file__"))
        _check_predictors(values, defaults, config_type)
        stock = {key: value for key, value in values.items() if key in known}
        # `nas_predictors` names its folder after the predictor: give swap_re one of its own.
        optimizer = values.get("optimizer", known.get("optimizer"))
        renamed = config_type == "nas_predictor" and optimizer in optimisers.OPTIMISERS
        if renamed:
            predictor = stock.get("search.predictor_type", known.get("search.predictor_type"))
            stock["search.predictor_type"] = optimizer
        words = [word for key, value in stock.items() for word in (key, _text(value))]
        config = original(args=parse(args=options + words), config_type=config_type)
        if renamed:
            config.search.predictor_type = predictor
        for key, value in values.items():
            if key not in known:
                _put(config, key, value)
        if config_type == "bbo-bs":
            repairs.missing_use_zc_api(config)
        optimisers.settle(config, config_type, caller, given)
        return config

    module.get_config_from_args = get_config_from_args  # type: ignore[attr-defined]


def split(words: list[str], options: Mapping[str, int]) -> tuple[list[str], dict[str, str]]:
    """Separate NASLib's own options from keys and values.

    `options` maps each option to the number of values it takes (0 or 1). Returns the options in
    their order, and the keys with their text; a key given twice keeps its last value.
    """
    taken: list[str] = []
    pairs: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        option = name if name in options else name.replace("_", "-")
        if word.startswith("--") and option in options and option not in _IGNORED_BY_NASLIB:
            taken.append(option)
            if options[option]:
                taken.append(value if equals else _next(rest, name))
            continue
        key = name.lstrip("-")
        if word.startswith("--"):
            key = key.replace("-", "_")
        else:
            equals, key = "", word
        if not key:
            raise BadArgument(f"argument {word!r}: expected `--key value` or `key value`")
        pairs[key] = value if equals else _next(rest, word)
    return taken, pairs


def with_packaged_config(options: list[str]) -> list[str]:
    """Let `--config-file configs/zc/NAME.yaml` name a file of this package from anywhere."""
    found = list(options)
    for index, word in enumerate(options[:-1]):
        given = Path(options[index + 1])
        if word == "--config-file" and given.parts[:1] == ("configs",) and not given.exists():
            packaged = Path(configs.__file__).parent.joinpath(*given.parts[1:])
            if packaged.is_file():
                found[index + 1] = str(packaged)
    return found


def check_keys(pairs: Iterable[str], known: Mapping[str, Any]) -> None:
    """Raise BadArgument for a key that neither the configuration nor NASLib's code knows."""
    unknown = [key for key in pairs if key not in known and key not in EXTRA]
    if unknown:
        names = [name for name in (*known, *EXTRA) if not isinstance(known.get(name), Mapping)]
        names += [SWAP + name for name in settings.names()]
        raise BadArgument(
            f"unknown key {', '.join(map(repr, unknown))}; known keys are "
            f"{', '.join(sorted(set(names)))}"
        )


def literal(key: str, text: str, kind: Optional[type]) -> Any:
    """Turn the text of a value into the type that the configuration has for its key."""
    if kind is bool:
        if text.lower() in ("true", "false", "1", "0", "yes", "no"):
            return text.lower() in ("true", "1", "yes")
    elif kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    elif kind in (list, tuple):
        return _listed(text)
    else:
        return text
    raise BadArgument(f"{key} = {text!r}: expected {getattr(kind, '__name__', kind)}")


def flattened(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested configuration with dotted keys, its nodes included."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat[prefix + key] = value
        if isinstance(value, Mapping):
            flat.update(flattened(value, f"{prefix}{key}."))
    return flat


def _next(words: Any, name: str) -> str:
    for word in words:
        return str(word)
    raise BadArgument(f"argument {name!r} has no value; expected `--key value` or `key value`")


def _options(parser: Any) -> dict[str, int]:
    return {
        option: 0 if action.nargs == 0 else 1
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--")
    }


def _defaults(module: Any, namespace: Any, config_type: str) -> Any:
    if namespace.config_file is None:
        return module.load_default_config(config_type=config_type)
    try:
        return module.load_config(path=namespace.config_file)
    except OSError as error:
        raise BadFile(f"--config-file {namespace.config_file}: {error.strerror}") from error


def _type_of(key: str, known: Mapping[str, Any]) -> Optional[type]:
    if key in known and known[key] is not None:
        return type(known[key])
    return EXTRA.get(key)


def _listed(text: str) -> list[Any]:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = [word.strip() for word in text.strip("[]() ").split(",") if word.strip()]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _put(config: Any, key: str, value: Any) -> None:
    node = config
    *nodes, name = key.split(".")
    for part in nodes:
        node = node[part]
    node[name] = value


def _check_predictors(values: Mapping[str, Any], defaults: Any, config_type: str) -> None:
    """Check the zero-cost predictors that a zero-cost run names."""
    if config_type != "zc":
        return
    from naslib_swap.plugin.measures import known_measures

    known = known_measures()
    wanted = [values.get("predictor", defaults.get("predictor"))]
    wanted += values.get("zc_names", defaults.get("zc_names") or [])
    unknown = [name for name in wanted if name is not None and name not in known]
    if unknown:
        raise BadArgument(
            f"unknown zero-cost predictor {', '.join(map(repr, unknown))}; known are "
            f"{', '.join(sorted(known))}"
        )
