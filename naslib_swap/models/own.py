"""Models of the user's code: imported and built; what went wrong is said in one line."""

from __future__ import annotations

import inspect
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from torch import nn

from naslib_swap.errors import BadArgument
from naslib_swap.models.calls import Call, meant
from naslib_swap.models.imports import executed_again, imported
from naslib_swap.models.model import Asked, Model, Takes
from naslib_swap.models.raised import cause
from naslib_swap.seeding import seeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import TypeGuard

_EXPECTED = "expected package.module:factory or path/to/file.py:factory"


def models_in(call: Call, asked: Asked) -> list[Model]:
    """Return the model of ``module:factory``, or all that a file ``models.py`` defines.

    Whatever goes wrong comes when the model is built, but for a file without any model.

    Raises
    ------
    SwapError
        No such name, or a file that cannot be imported or has no factory.
    """
    if call.name.endswith(".py") and not call.has_arguments:
        return [_model(f"{call.name}:{name}", Call(name), call.name)
                for name in _factories(call.name, asked)]  # fmt: skip
    home, colon, attribute = call.name.rpartition(":")
    if not colon or not home or not attribute:
        raise BadArgument(
            f"got the model {call.name!r}, {_EXPECTED}; a file models.py alone scores all its "
            "factories; timm:, torchvision: and hf: begin names of their zoos."
        )
    said = call.name + (_arguments(call) if call.has_arguments else "")
    return [_model(said, Call(attribute, call.positional, call.keywords), home)]


def given_model(name: str, value: Any) -> Model:
    """Return the model of a module or factory that is already here.

    A module keeps its weights; a factory is called without arguments.

    Raises
    ------
    BadArgument
        If it is neither.
    """
    if isinstance(value, nn.Module):
        return Model(name, lambda seed: value, takes_of, family_of, redrawn=False)
    if not callable(value):
        raise BadArgument(
            f"got {type(value).__name__} for the model {name!r}, expected a torch.nn.Module, or a "
            "factory that returns one."
        )
    return Model(name, lambda seed: _called(name, value, Call(name), seed), takes_of, family_of)


def takes_of(net: nn.Module) -> Takes:
    """Return what a module says of itself: its configuration, or ``input_shape`` and the like."""
    config = getattr(net, "config", None)
    if config is not None and hasattr(config, "model_type"):
        from naslib_swap.models.configured import takes_by

        return takes_by(net, config, None)
    for place in ("pretrained_cfg", "default_cfg"):
        configured = getattr(net, place, None)
        shape = configured.get("input_size") if isinstance(configured, dict) else None
        if _is_shape(shape):
            return Takes("images", tuple(shape))
    for name in ("input_shape", "input_size"):
        shape = getattr(net, name, None)
        if _is_shape(shape):
            return Takes("images", tuple(shape))
    return Takes()


def family_of(net: nn.Module) -> str:
    """Return its class; of torch's own containers, the kinds of weighted layers in it."""
    if not type(net).__module__.startswith("torch.nn"):
        return type(net).__name__
    # Of layers with weights; a classifier at the end tells nothing.
    layers = {type(m).__name__ for m in net.modules() if list(m.parameters(recurse=False))}
    if any(name.startswith("Conv") for name in layers):
        layers.discard("Linear")
    return "/".join(sorted(layers)) or type(net).__name__


def _model(name: str, call: Call, home: str) -> Model:
    return Model(name, partial(_built, name, call, home), takes_of, family_of)


def _built(name: str, call: Call, home: str, seed: int) -> nn.Module:
    module = imported(home, seed)
    found: Any = module
    for part in call.name.split("."):
        found = getattr(found, part, None)
    if found is None:
        there = [name for name, value in vars(module).items() if _makes_modules(value, module)]
        raise BadArgument(
            f"{home!r} has no {call.name!r}, expected a factory of a torch module."
            f"{meant(call.name, there)}"
        )
    if isinstance(found, nn.Module):
        if call.has_arguments:
            raise BadArgument(f"{name} is a module already, expected no arguments.")
        # It was built at import, from whatever seed there was: once more, from this one.
        again: Any = executed_again(home, seed)
        for part in call.name.split("."):
            again = getattr(again, part)
        assert isinstance(again, nn.Module)
        return again
    if not callable(found):
        raise BadArgument(f"{call.name!r} is {type(found).__name__}, expected a factory.")
    return _called(name, found, call, seed)


def _called(name: str, factory: Any, call: Call, seed: int) -> nn.Module:
    try:
        with seeded(seed):
            net = factory(*call.positional, **call.keywords)
    except Exception as error:  # the user's code may raise anything
        raise BadArgument(
            f"cannot build {name}: {cause(error)}.{_how(name, factory, call)}"
        ) from error
    if not isinstance(net, nn.Module):
        raise BadArgument(f"{name} returned {type(net).__name__}, expected a torch.nn.Module.")
    return net


def _how(name: str, factory: Any, call: Call) -> str:
    """How to give the arguments that are missing."""
    missing = _required(factory)[len(call.positional) :]
    missing = [parameter for parameter in missing if parameter not in call.keywords]
    if not missing or call.has_arguments:
        return "" if not missing else f" It still needs {', '.join(missing)}."
    told = ", ".join(f"{parameter}=..." for parameter in missing)
    return f" Give its arguments: '{name}({told})'."


def _required(factory: Any) -> list[str]:
    """Names of the parameters without a default."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return []
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in variable]


def _factories(home: str, asked: Asked) -> list[str]:
    """Names in a file that make a module without arguments, or are one; others are told."""
    module = imported(home, 0)
    ready, wanting = [], []
    for name, value in vars(module).items():
        if name.startswith("_") or not _makes_modules(value, module):
            continue
        missing = [] if isinstance(value, nn.Module) else _required(value)
        if missing:
            wanting.append(f"{home}:{name}({', '.join(f'{p}=...' for p in missing)})")
        else:
            ready.append(name)
    if wanting:
        asked.note(f"{home}: left out, as they need arguments: {', '.join(wanting)}")
    if not ready:
        raise BadArgument(
            f"{home} has no factory that can be called without arguments, expected functions or "
            "classes that return a torch.nn.Module."
        )
    if len(ready) > 1:
        asked.note(f"{home} has {len(ready)} models: {', '.join(ready)}")
    return ready


def _makes_modules(value: Any, module: ModuleType) -> bool:
    if isinstance(value, nn.Module):
        return True
    if getattr(value, "__module__", None) != module.__name__:
        return False  # imported from elsewhere
    if isinstance(value, type):
        return issubclass(value, nn.Module)
    if not inspect.isfunction(value):
        return False
    told = value.__annotations__.get("return")
    return told is None or "Module" in str(told) or _is_module_class(told, module)


def _is_module_class(told: Any, module: ModuleType) -> bool:
    kind = getattr(module, told, None) if isinstance(told, str) else told
    return isinstance(kind, type) and issubclass(kind, nn.Module)


def _is_shape(value: Any) -> TypeGuard[Sequence[int]]:
    return (
        isinstance(value, (tuple, list))
        and len(value) == 3
        and all(isinstance(n, int) and n > 0 for n in value)
    )


def _arguments(call: Call) -> str:
    given = [repr(value) for value in call.positional]
    given += [f"{name}={value!r}" for name, value in call.keywords.items()]
    return f"({', '.join(given)})"
