"""Repairs of what today's Python, numpy and scikit-learn broke in NASLib, and of two old faults.

Each function takes the NASLib module that it repairs, looks whether the fault is there, and only
then acts; `applied` lists what was done. On NASLib's official Python 3.9 with the libraries of its
`requirements.txt`, the first five find nothing to do.

A name that NASLib lacks raises AttributeError: the hook turns it into one warning.
"""

from __future__ import annotations

import collections
import collections.abc
import functools
import inspect
import logging
import random
from types import ModuleType
from typing import Any

logger = logging.getLogger(__name__)

applied: dict[str, str] = {}
"""Repair -> the NASLib modules that it was applied to, for `naslib-swap doctor`."""

_ABSTRACT = ("Iterable",)
_borrowed: list[str] = []


def collections_names_before(module: ModuleType) -> None:
    """Lend `collections.Iterable` to a module that imports it.

    Breaks: `from collections import Iterable` raises ImportError, and with it every import of
    `naslib.predictors`. Where: predictors/gp/gpwl_utils/vertex_histogram.py:12. Since: Python 3.10.
    """
    for name in _ABSTRACT:
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
            _borrowed.append(name)
            _note("collections_names", module)


def collections_names_after(module: ModuleType) -> None:
    """Take back what `collections_names_before` lent: other packages see today's `collections`."""
    while _borrowed:
        delattr(collections, _borrowed.pop())


def collections_in_wl_kernel(module: ModuleType) -> None:
    """Give a module that says `collections.Iterable` inside functions a `collections` that has it.

    Breaks: AttributeError when the Weisfeiler-Lehman Gaussian process is fitted. Where:
    predictors/gp/gpwl_utils/wl_kernel.py:178, 184, 418, 425. Since: Python 3.10.
    """
    if not hasattr(collections, "Iterable"):
        names = {name: getattr(collections.abc, name) for name in _ABSTRACT}
        module.collections = _Overlay(module.collections, names)  # type: ignore[attr-defined]
        _note("collections_in_wl_kernel", module)


def mean_squared_error(module: ModuleType) -> None:
    """Give a module a `sklearn.metrics` whose `mean_squared_error` takes `squared=False`.

    Breaks: TypeError, swallowed by a bare except, so that every correlation silently becomes nan.
    Where: utils/zerocost.py:90, defaults/predictor_evaluator.py:437, utils/__init__.py:471. Since:
    scikit-learn 1.6 (deprecated in 1.4).
    """
    metrics: Any = module.metrics  # type: ignore[attr-defined]
    if "squared" in inspect.signature(metrics.mean_squared_error).parameters:
        return

    @functools.wraps(metrics.mean_squared_error)
    def with_squared(*args: Any, squared: bool = True, **options: Any) -> Any:
        compute = metrics.mean_squared_error if squared else metrics.root_mean_squared_error
        return compute(*args, **options)

    module.metrics = _Overlay(  # type: ignore[attr-defined]
        metrics, {"mean_squared_error": with_squared}
    )
    _note("mean_squared_error", module)


def count_parameters(module: ModuleType) -> None:
    """Replace `count_parameters_in_MB`, which sums a generator with numpy.

    Breaks: TypeError, or a generator where a number is expected, so that the Trainer fails for
    every discrete optimiser. Where: utils/__init__.py:421. Since: numpy 2.4 (deprecated in 1.15).
    """
    count = module.count_parameters_in_MB  # type: ignore[attr-defined]
    if _sums_generators():
        return

    @functools.wraps(count)
    def count_parameters_in_MB(model: Any) -> float:
        named = model.named_parameters()
        return float(sum(v.numel() for name, v in named if "auxiliary" not in name) / 1e6)

    module.count_parameters_in_MB = count_parameters_in_MB  # type: ignore[attr-defined]
    _note("count_parameters", module)


def python_integers(module: ModuleType) -> None:
    """Make `get_hash` of a module's search spaces return Python's integers.

    Breaks: an architecture's hash is looked up as `str(hash)`, which has `np.int64(3)` in it, so
    that tables are silently missed. Where: search_spaces/nasbench201/graph.py:279,
    transbench101/graph.py:368 and 388, and what nasbench301/graph.py:466 samples. Since: numpy 2.0.
    """
    import numpy as np

    if repr(np.int64(3)) == "3":
        return
    for space in search_spaces(module):
        _wrap_hash(space)
    _note("python_integers", module)


def labelled_sampling(module: ModuleType) -> None:
    """Let NAS-Bench-301 sample from `labeled_archs`, as the other spaces do.

    Breaks: the zero-cost runners hand over the table's architectures, and the sampler ignores them
    and asks for the surrogate's training data. Where: search_spaces/nasbench301/graph.py:459.
    Since: always.
    """
    space = module.NasBench301SearchSpace  # type: ignore[attr-defined]
    original = space.sample_random_architecture

    @functools.wraps(original)
    def sample_random_architecture(
        self: Any, dataset_api: Any = None, load_labeled: bool = False
    ) -> None:
        if load_labeled and self.labeled_archs is not None:
            self.sample_random_labeled_architecture()
        else:
            original(self, dataset_api=dataset_api, load_labeled=load_labeled)

    space.sample_random_architecture = sample_random_architecture
    _note("labelled_sampling", module)


def macro_mutation(module: ModuleType) -> None:
    """Replace the mutation of TransNAS-Bench-101's macro space, and feed its neighbourhood.

    Breaks: `indices[indices != 0]` on a list is `indices[True]`, one integer, whose length is then
    asked for: TypeError. Where: search_spaces/transbench101/graph.py:665 and 701. Since: always.
    """
    import numpy as np

    space = module.TransBench101SearchSpaceMacro  # type: ignore[attr-defined]
    neighbours = space.get_nbhd

    def mutate(self: Any, parent: Any, dataset_api: Any = None) -> None:
        self.set_op_indices(np.array(mutated_macro(parent.get_op_indices())))

    @functools.wraps(neighbours)
    def get_nbhd(self: Any, dataset_api: Any = None) -> Any:
        self.op_indices = np.array(self.get_op_indices())
        return neighbours(self, dataset_api=dataset_api)

    space.mutate = functools.wraps(space.mutate)(mutate)
    space.get_nbhd = get_nbhd
    _note("macro_mutation", module)


def mutated_macro(indices: Any) -> list[int]:
    """Change one of a macro architecture's three numbers, and shuffle its layers.

    An architecture is 4 to 6 layers, each 1 to 4 and padded with 0 to six: 3 and 4 halve the
    resolution (1 to 4 layers do), 2 and 4 double the channels (1 to 3 do). Draws from Python's and
    numpy's global generators, as NASLib's own mutations do.
    """
    import numpy as np

    layers = [int(layer) for layer in indices if int(layer) != 0]
    counts = {
        "layers": len(layers),
        "strides": sum(layer in (3, 4) for layer in layers),
        "widenings": sum(layer in (2, 4) for layer in layers),
    }
    allowed = {"layers": (4, 5, 6), "strides": (1, 2, 3, 4), "widenings": (1, 2, 3)}
    changed = random.choice(list(counts))
    counts[changed] = random.choice([n for n in allowed[changed] if n != counts[changed]])
    strides = np.random.permutation(counts["layers"]) < counts["strides"]  # noqa: NPY002
    widenings = np.random.permutation(counts["layers"]) < counts["widenings"]  # noqa: NPY002
    child = [int(1 + 2 * s + w) for s, w in zip(strides, widenings)]
    return child + [0] * (6 - len(child))


def missing_use_zc_api(config: Any) -> None:
    """Add `search.use_zc_api` to the configuration of the black-box optimisation runner.

    Breaks: AttributeError with the runner's own default configuration. Where:
    runners/bbo/runner.py:67 and 70 (its discrete_config.yaml lacks the key). Since: always.
    """
    if not hasattr(config.search, "use_zc_api"):
        config.search.use_zc_api = False
        applied["missing_use_zc_api"] = "naslib.runners.bbo"


def search_spaces(module: ModuleType) -> list[Any]:
    """Return the search-space classes that a NASLib module defines."""
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and value.__module__ == module.__name__
        and "get_hash" in vars(value)
    ]
    if not found:
        raise AttributeError(f"{module.__name__} defines no search space with get_hash")
    return found


def python_value(value: Any) -> Any:
    """Turn numpy's numbers and arrays, inside tuples and lists too, into Python's own."""
    if isinstance(value, (tuple, list)):
        return type(value)(python_value(item) for item in value)
    if type(value).__module__ == "numpy":
        return value.tolist()
    return value


def _wrap_hash(space: Any) -> None:
    original = space.get_hash

    @functools.wraps(original)
    def get_hash(self: Any) -> Any:
        return python_value(original(self))

    space.get_hash = get_hash


def _sums_generators() -> bool:
    import warnings

    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bool(np.sum(x for x in (1.0, 2.0)) == 3.0)  # type: ignore[call-overload]
        except TypeError:
            return False


class _Overlay:
    """A module with some names replaced, for one importer alone."""

    def __init__(self, module: Any, names: dict[str, Any]) -> None:
        self.__dict__.update(names)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _note(repair: str, module: ModuleType) -> None:
    already = applied.get(repair)
    applied[repair] = f"{already}, {module.__name__}" if already else module.__name__
    logger.debug("repair %s applied to %s", repair, module.__name__)
