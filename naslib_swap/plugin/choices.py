"""What a runner's command line may choose from: a wrong name is one line with the known ones.

NASLib answers a mistyped search space, data set or optimiser with a traceback from far inside. The
known names are taken from the runner itself, from the dictionaries that it looks them up in, so
that a runner of the user's own is checked against what it offers. Only what the user gave is
checked, never a default of NASLib's.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Optional

from naslib_swap.errors import BadArgument
from naslib_swap.plugin import optimisers

DICTIONARIES = {
    "optimizer": "supported_optimizers",
    "predictor": "supported_predictors",
    "search_space": "supported_search_spaces",
}
"""Key of a configuration -> the name of the runner's dictionary that has its values."""

POSITIVE = (
    "n_models",
    "search.epochs",
    "search.population_size",
    "search.sample_size",
    "test_size",
    "train_size",
)
"""Keys whose number is 1 or more."""

WITHOUT_NETWORKS = ("ninapro", "scifar100", "svhn")
"""Data sets for which NASLib has tables and we have no networks."""


def check(
    config: Mapping[str, Any], given: Collection[str], config_type: str, runner: Optional[str]
) -> None:
    """Refuse names that nothing knows and numbers below 1.

    Parameters
    ----------
    config
        The configuration with dotted keys, defaults and the user's values together.
    given
        The keys that the user set.
    config_type
        NASLib's name for the kind of configuration.
    runner
        Path of the runner's script; None where the caller is no file.

    Raises
    ------
    BadArgument
        For the first value that cannot be; it lists the known ones.
    """
    source = Path(runner) if runner else None
    for key, dictionary in DICTIONARIES.items():
        known = literal_keys(source, dictionary) if source else ()
        if key == "search_space" and config_type == "zc":
            known = _spaces_of_naslib()
        if key == "optimizer" and known and config_type in optimisers.SLOTS:
            known = (*known, *optimisers.OPTIMISERS)
        if key in given and known and config[key] not in known:
            raise _unknown(key, config[key], known)
    if "dataset" in given or "search_space" in given:
        _check_dataset(config.get("search_space"), config.get("dataset"))
    for key in POSITIVE:
        if key in given and isinstance(config[key], (int, float)) and config[key] < 1:
            raise BadArgument(f"{key} = {config[key]}: expected at least 1")


def literal_keys(script: Path, variable: str) -> tuple[str, ...]:
    """Keys of the dictionary that a script assigns to `variable`; none where it does not."""
    try:
        tree = ast.parse(script.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return ()
    for node in tree.body:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)):
            continue
        if any(isinstance(name, ast.Name) and name.id == variable for name in node.targets):
            keys = [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
            return tuple(str(key) for key in keys)
    return ()


def _spaces_of_naslib() -> tuple[str, ...]:
    from importlib import import_module

    module = import_module("naslib.search_spaces")
    return tuple(getattr(module, "supported_search_spaces", ()))


def _check_dataset(space: Any, dataset: Any) -> None:
    from naslib_swap import spaces

    known = spaces.get(space).tasks if space in spaces.names() else ()
    if known and dataset not in known and dataset not in WITHOUT_NETWORKS:
        raise _unknown(f"dataset of {space}", dataset, [*known, *WITHOUT_NETWORKS])


def _unknown(what: str, value: Any, known: Iterable[str]) -> BadArgument:
    return BadArgument(f"unknown {what} {value!r}; known are {', '.join(sorted(known))}")
