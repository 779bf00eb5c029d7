"""The import hook: runs our functions around the import of NASLib's modules, and only of those.

The finder of `naslib_swap.plugin.startup` stands at the front of ``sys.meta_path`` and comes here
for NASLib's names. The ordinary machinery finds the module and runs it; then what `PATCHES` lists
for that name is called. A function that fails leaves the module as NASLib made it, with one warning
a process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Optional

from naslib_swap.plugin.startup import PACKAGE, Finder, is_installed, is_ours

_PLUGIN = "naslib_swap.plugin"
PATCHES: dict[str, tuple[str, ...]] = {
    "naslib.utils": (
        "repairs.mean_squared_error",
        "repairs.count_parameters",
        "arguments.patch",
    ),
    "naslib.utils.zerocost": ("repairs.mean_squared_error", "correlations.patch"),
    "naslib.utils.get_dataset_api": ("tables.patch", "benchmarks.patch"),
    "naslib.utils.dataset": ("loaders.patch",),
    "naslib.defaults.predictor_evaluator": ("repairs.mean_squared_error",),
    "naslib.predictors.gp.gpwl_utils.vertex_histogram": ("repairs.collections_names_after",),
    "naslib.predictors.gp.gpwl_utils.wl_kernel": ("repairs.collections_in_wl_kernel",),
    "naslib.predictors.zerocost": ("zero_cost.patch", "zero_cost.patch_query"),
    "naslib.predictors.utils.pruners.measures": ("measures.patch_registry",),
    "naslib.predictors.utils.pruners.predictive": ("zero_cost.patch_find_measures",),
    "naslib.search_spaces.core.graph": ("cloning.patch",),
    "naslib.search_spaces.nasbench101.graph": ("repairs.python_integers", "benchmarks.patch_query"),
    "naslib.search_spaces.nasbench201.graph": ("repairs.python_integers", "benchmarks.patch_query"),
    "naslib.search_spaces.nasbench301.graph": (
        "repairs.python_integers",
        "repairs.labelled_sampling",
        "benchmarks.patch_query",
    ),
    "naslib.search_spaces.transbench101.graph": (
        "repairs.python_integers",
        "repairs.macro_mutation",
        "benchmarks.patch_query",
    ),
}
"""NASLib module -> functions that run after its import, below this package."""

BEFORE: dict[str, tuple[str, ...]] = {
    "naslib.predictors.gp.gpwl_utils.vertex_histogram": ("repairs.collections_names_before",),
}
"""The same, for functions that run between the module's creation and its execution."""

_warned = False
problems: list[str] = []
"""What went wrong while patching, in words; `naslib-swap doctor` prints it."""


def find_spec(
    name: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
) -> Optional[ModuleSpec]:
    """Return the ordinary spec of a NASLib module with `Loader` around its loader."""
    spec = _ordinary_spec(name, path, target)
    if spec is None and name == PACKAGE:
        spec = _spec_from_checkout()
    if spec is not None and spec.loader is not None:
        spec.loader = Loader(spec.loader)  # type: ignore[assignment]
    return spec


class Loader:
    """A module's own loader, with our functions before and after the module's execution."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> Optional[ModuleType]:
        """Let the module's own loader create it."""
        create = getattr(self._loader, "create_module", None)
        return create(spec) if create is not None else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then what is listed for it."""
        # Only this step differs from an ordinary import: afterwards the module looks as if its own
        # loader had loaded it (pickle, inspect and importlib.resources look at these attributes).
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        _call("placeholders.prepare", module)
        for function in BEFORE.get(module.__name__, ()):
            _call(function, module)
        self._loader.exec_module(module)
        for function in PATCHES.get(module.__name__, ()):
            _call(function, module)


def install() -> None:
    """Put the finder in place; NASLib modules that are imported already get their functions now."""
    if is_installed():
        return
    sys.meta_path.insert(0, Finder())  # type: ignore[arg-type]
    for name in [name for name in PATCHES if name in sys.modules]:
        for function in PATCHES[name]:
            _call(function, sys.modules[name])


def uninstall() -> None:
    """Take the finder out; modules that are imported already keep what was done to them."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not is_ours(finder)]


def warn(message: str) -> None:
    """Say once a process that something in this NASLib is not as expected; keep the rest."""
    global _warned
    import logging

    problems.append(message)
    logger = logging.getLogger(_PLUGIN)
    if _warned:
        logger.debug(message)
    else:
        _warned = True
        logger.warning("naslib-swap: %s (`naslib-swap doctor` says more)", message)


def _ordinary_spec(
    name: str, path: Optional[Sequence[str]], target: Optional[ModuleType]
) -> Optional[ModuleSpec]:
    for finder in list(sys.meta_path):
        if is_ours(finder) or not hasattr(finder, "find_spec"):
            continue
        spec: Optional[ModuleSpec] = finder.find_spec(name, path, target)
        if spec is not None:
            return spec
    return None


def _spec_from_checkout() -> Optional[ModuleSpec]:
    """Find `naslib` from the running script: a runner's own folder is all that is on the path."""
    from naslib_swap.plugin.checkout import from_script

    root = from_script()
    if root is None:
        return None
    sys.path.insert(1, str(root))
    return PathFinder.find_spec(PACKAGE, None)


def _call(function: str, module: ModuleType) -> None:
    """Run one plugin function on a NASLib module; its failure must not break the import."""
    try:
        home, name = function.rsplit(".", 1)
        patch: Callable[[ModuleType], None] = getattr(import_module(f"{_PLUGIN}.{home}"), name)
        patch(module)
    except Exception as error:
        warn(f"{function} does not fit this NASLib's {module.__name__}: {error!r}")
