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
from typing import Any, NamedTuple, Optional

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
    "turtle": "",
    "xgboost": "xgboost",
}
"""Import name -> what to install, for the packages that a placeholder may stand in for."""

DISTRIBUTIONS: dict[str, str] = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "pkg_resources": "'setuptools<81'",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Import name -> what to install, where the names differ, for packages that those packages need."""


class Absence(NamedTuple):
    """Why a package cannot be imported, and what to do, both in words."""

    reason: str
    advice: str


stood_in: dict[str, Absence] = {}
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
    absence = stood_in.get(package) or _not_installed(package)
    return MissingPackage(
        f"NASLib needs {path} here, but the package {package} cannot be imported "
        f"({absence.reason}); {absence.advice}"
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
            stood_in[package] = _absence(package, error)
            logger.debug("placeholder for %s: %s", package, stood_in[package].reason)
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


def _absence(package: str, error: Exception) -> Absence:
    needed = (error.name or "").split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if package == "turtle":
        return Absence(
            "this Python has no tkinter", "install tkinter from where this Python comes from"
        )
    if needed == package and getattr(error, "name", None) == package:
        return _not_installed(package)
    if needed and needed != package:
        other = OPTIONAL.get(needed) or DISTRIBUTIONS.get(needed, needed)
        return Absence(f"it needs {needed}, which is not installed", f"pip install {other}")
    first = str(error).splitlines()[0] if str(error) else ""
    return Absence(
        f"{type(error).__name__}: {first}", f"install it anew: pip install -U {OPTIONAL[package]}"
    )


def _not_installed(package: str) -> Absence:
    return Absence(
        "it is not installed", f"install it: pip install {OPTIONAL.get(package, package)}"
    )


_shared: dict[str, Any] = {}


def _guarded_builtins() -> dict[str, Any]:
    # One dictionary for all NASLib modules: functions keep the builtins they were made with.
    if not _shared:
        _shared.update(vars(builtins))
        _shared["__import__"] = import_or_placeholder
    return _shared
