"""Code of the user's, imported; what went wrong is said in one line."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch

from naslib_swap.errors import BadArgument, BadFile, SwapError
from naslib_swap.models.calls import meant
from naslib_swap.models.raised import cause
from naslib_swap.seeding import seeded

_EXECUTED: dict[str, ModuleType] = {}


def imported(home: str, seed: int) -> ModuleType:
    """Return a module by its name or the path of its file, imported once.

    Raises
    ------
    SwapError
        No such file, or code that cannot be imported.
    """
    if home.endswith(".py") and not Path(home).is_file():
        near = meant(Path(home).name, (file.name for file in Path(home).parent.glob("*.py")))
        raise BadFile(f"there is no Python file {home!r}, expected one.{near}")
    try:
        # Kept modules hold values, also where a network is built without them, on the meta device.
        with seeded(seed), torch.device("cpu"):
            if home.endswith(".py"):
                path = Path(home).resolve()
                if str(path) not in _EXECUTED:
                    _EXECUTED[str(path)] = _executed(path)
                return _EXECUTED[str(path)]
            if "" not in sys.path:
                sys.path.insert(0, "")
            return importlib.import_module(home)
    except SwapError:
        raise
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


def executed_again(home: str, seed: int) -> ModuleType:
    """Return the module as an import under this seed makes it; other importers keep theirs.

    Raises
    ------
    BadArgument
        If its code fails.
    """
    spec = imported(home, seed).__spec__
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        with seeded(seed):
            spec.loader.exec_module(module)
    except Exception as error:  # the user's code may raise anything
        raise BadArgument(f"cannot import {home!r} once more: {cause(error)}.") from error
    return module


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
    found = getattr(imported(home, 0), attribute, None)
    if not callable(found):
        raise BadArgument(f"{home!r} has no {attribute!r}, expected a function.")

    def asked(arch: str) -> float:
        try:
            return found(arch)  # type: ignore[no-any-return]
        except Exception as error:  # the user's code may raise anything
            raise BadArgument(f"{name} failed on {arch}: {cause(error)}.") from error

    return asked
