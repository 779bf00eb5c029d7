"""Stand-ins for packages that NASLib imports and this environment lacks.

NASLib imports some twenty packages at the top of its modules; a zero-cost run uses hardly any.
Where one of `OPTIONAL` cannot be imported, the NASLib module that asks for it gets a placeholder:
it can be named, looked into and subclassed, and raises `MissingPackage` when it is called.

The placeholder is visible to NASLib's modules alone. It never enters ``sys.modules``, so other
packages (transformers, torch) that ask whether torchvision is there are not misled: each NASLib
module runs with its own ``__import__``, taken from the module's ``__builtins__``.
"""

from __future__ import annotations

import builtins
import logging
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Optional

from naslib_swap.errors import SwapError

logger = logging.getLogger(__name__)

OPTIONAL: dict[str, str] = {
    "ConfigSpace": "ConfigSpace",
    "distutils": "setuptools",
    "emcee": "emcee",
    "grakel": "grakel",
    "lightgbm": "lightgbm",
    "matplotlib": "matplotlib",
    "nasbench_pytorch": "nasbench_pytorch",
    "ngboost": "ngboost",
    "pybnn": "pybnn",
    "pyro": "pyro-ppl",
    "pytorch_msssim": "pytorch-msssim",
    "seaborn": "seaborn",
    "six": "six",
    "skimage": "scikit-image",
    "tensorwatch": "tensorwatch",
    "torchvision": "torchvision",
    "transforms3d": "transforms3d",
    "turtle": "tkinter (part of Python's own standard library)",
    "xgboost": "xgboost",
}
"""Import name -> what to install, for the packages that a placeholder may stand in for."""

stood_in: dict[str, str] = {}
"""Import name -> why it could not be imported, for those that a placeholder stands in for."""


class MissingPackage(SwapError, ModuleNotFoundError):
    """NASLib used something from a package that cannot be imported here."""


class Placeholder:
    """Stands in for `path`, a name in a package that cannot be imported."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __getattr__(self, name: str) -> Placeholder:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Placeholder(f"{self._path}.{name}")

    def __call__(self, *args: object, **kwargs: object) -> Any:
        """Refuse: only the package itself could do this."""
        raise missing(self._path)

    def __mro_entries__(self, bases: Sequence[object]) -> tuple[type, ...]:
        path = self._path

        def refuse(cls: type, *args: object, **kwargs: object) -> Any:
            raise missing(path)

        return (type("Missing", (), {"__new__": refuse}),)

    def __instancecheck__(self, instance: object) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<placeholder for {self._path}>"


def missing(path: str) -> MissingPackage:
    """Make the error for a use of `path`."""
    package = path.split(".")[0]
    reason = stood_in.get(package, "it is not installed")
    return MissingPackage(
        f"NASLib needs {path} here, but the package {package} cannot be imported ({reason}); "
        f"install it: pip install {OPTIONAL.get(package, package)}"
    )


def prepare(module: ModuleType) -> None:
    """Give a NASLib module, before it runs, the import that knows placeholders."""
    module.__dict__["__builtins__"] = _guarded_builtins()


def import_or_placeholder(
    name: str,
    globals: Optional[dict[str, Any]] = None,
    locals: Optional[dict[str, Any]] = None,
    fromlist: Optional[Sequence[str]] = (),
    level: int = 0,
) -> Any:
    """Do what ``__import__`` does; where a package of `OPTIONAL` fails, return a placeholder."""
    try:
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    except Exception as error:
        # Not ImportError alone: a torchvision built for another torch raises RuntimeError.
        package = name.split(".")[0]
        if level or package not in OPTIONAL or not _is_fault_of(package, error):
            raise
        if package not in stood_in:
            stood_in[package] = _reason(package, error)
            logger.debug("placeholder for %s: %s", package, stood_in[package])
        return Placeholder(name if fromlist else package)


def _is_fault_of(package: str, error: Exception) -> bool:
    """Whether the package itself cannot be imported, or lacks the submodule that NASLib wants."""
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == package:
        return True
    try:
        builtins.__import__(package)
    except Exception:
        return True
    return False


def _reason(package: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == package:
        return "it is not installed"
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


_shared: dict[str, Any] = {}


def _guarded_builtins() -> dict[str, Any]:
    # One dictionary for all NASLib modules: functions keep the builtins they were made with.
    if not _shared:
        _shared.update(vars(builtins))
        _shared["__import__"] = import_or_placeholder
    return _shared
