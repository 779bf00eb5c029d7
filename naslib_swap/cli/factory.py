"""A model of the user's: imported and built; what went wrong is said in one line."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from naslib_swap.errors import BadArgument, BadFile

if TYPE_CHECKING:
    from torch import nn


def build(name: str) -> nn.Module:
    """Import and call a factory; a module class or a ready module will do too.

    ``name`` is ``package.module:factory`` or ``path/to/file.py:factory``.

    Raises
    ------
    SwapError
        Nothing of that name, code that fails, or a factory that returns something else.
    """
    from torch import nn

    home, colon, attribute = name.rpartition(":")
    if not colon or not home or not attribute:
        raise BadArgument(
            f"got the model {name!r}, expected package.module:factory or path/to/file.py:factory."
        )
    factory = getattr(_imported(home), attribute, None)
    if factory is None:
        raise BadArgument(f"{home!r} has no {attribute!r}, expected a factory of a torch module.")
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        raise BadArgument(f"{attribute!r} is {type(factory).__name__}, expected a factory.")
    try:
        net = factory()
    except Exception as error:  # the user's code may raise anything
        raise BadArgument(
            f"cannot build {name}: {cause(error)}. Expected a factory that works without arguments."
        ) from error
    if not isinstance(net, nn.Module):
        raise BadArgument(f"{name} returned {type(net).__name__}, expected a torch.nn.Module.")
    return net


def function(name: str) -> Callable[[str], float]:
    """Import a function of the user's; what it raises is said in one line, and ends the run.

    Raises
    ------
    SwapError
        Nothing of that name, or code that fails; also when the function is called.
    """
    home, colon, attribute = name.rpartition(":")
    if not colon or not home or not attribute:
        raise BadArgument(
            f"got the function {name!r}, expected package.module:function or "
            "path/to/file.py:function."
        )
    found = getattr(_imported(home), attribute, None)
    if not callable(found):
        raise BadArgument(f"{home!r} has no {attribute!r}, expected a function.")

    def asked(arch: str) -> float:
        try:
            return found(arch)  # type: ignore[no-any-return]
        except Exception as error:  # the user's code may raise anything
            raise BadArgument(f"{name} failed on {arch}: {cause(error)}.") from error

    return asked


def cause(error: Exception) -> str:
    """Say in one line what the user's code raised, and in which of its lines."""
    import torch

    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
    not_theirs = ("<", *(str(Path(str(f)).parent) for f in (torch.__file__, Path(__file__).parent)))
    theirs = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(not_theirs)
    ]
    if not theirs:
        return text
    return f"{text} ({Path(theirs[-1].filename).name}, line {theirs[-1].lineno})"


def _imported(home: str) -> ModuleType:
    if home.endswith(".py") and not Path(home).is_file():
        raise BadFile(f"there is no Python file {home!r}, expected one with a factory.")
    try:
        if home.endswith(".py"):
            return _executed(Path(home).resolve())
        sys.path.insert(0, "")
        return importlib.import_module(home)
    except ImportError as error:
        raise BadArgument(
            f"cannot import {home!r}: {cause(error)}. Is its folder on PYTHONPATH?"
        ) from error
    except Exception as error:  # the user's code may raise anything
        raise BadArgument(f"cannot import {home!r}: {cause(error)}.") from error


def _executed(path: Path) -> ModuleType:
    # Named by its whole path: two files of one name are two modules.
    name = re.sub(r"\W", "_", str(path.with_suffix("")))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # it ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    # Dataclasses and pickle look for a class's module here.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
