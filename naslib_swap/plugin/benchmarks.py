"""NASLib's benchmark files: read when they are needed, or replaced by the tables.

A zero-cost run reads accuracies from its table and never looks into the benchmark's own file (some
of which take gigabytes). So `get_dataset_api` returns at once, and the file is read when something
asks for it. Where it is missing, accuracies come from the zero-cost table; what only the file knows
(training curves, test accuracy, times) is -1, NASLib's own sign for unknown, with one warning.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Callable, Optional

from naslib_swap.errors import SwapError
from naslib_swap.plugin import failure, repairs, tables
from naslib_swap.plugin.keys import canonical

logger = logging.getLogger("naslib.swap")

LAZY = (
    "nasbench101",
    "nasbench201",
    "nasbench301",
    "transbench101",
    "transbench101_micro",
    "transbench101_macro",
)
UNKNOWN = -1
"""NASLib's own sign for what a benchmark does not know."""

_warned: set[str] = set()


class LazyApi(dict):  # type: ignore[type-arg]
    """A benchmark's API that NASLib's own function loads on first use."""

    def __init__(self, space: str, dataset: str, root: Any, load: Callable[[], Any]) -> None:
        super().__init__()
        self.space = space
        self.dataset = dataset
        self._root = root
        self._load = load
        self._loaded = False
        self._table: Optional[tables.Table] = None
        self.problem: Optional[str] = None

    def available(self) -> bool:
        """Whether the benchmark's files are here; `problem` says why not."""
        if not self._loaded and self.problem is None:
            try:
                self.update(self._load() or {})
                self._loaded = True
            except (AssertionError, OSError, ImportError) as error:
                self.problem = " ".join(str(error).split())
        return self._loaded

    def table(self) -> tables.Table:
        """The zero-cost table that stands in for the files."""
        if self._table is None:
            self._table = tables.table(self.space, self.dataset, self._root)
        return self._table

    def accuracy(self, arch: str) -> Optional[float]:
        """Validation accuracy of an architecture where no benchmark file is needed for it.

        It comes from the zero-cost table, else from the table of all NAS-Bench-201 accuracies.
        None where neither is here or has the architecture.
        """
        if self.has_table() and arch in self.table():
            return float(self.table()[arch]["val_accuracy"])
        return _all_accuracies(self.space, self.dataset).get(canonical(arch) or arch)

    def has_table(self) -> bool:
        """Whether the zero-cost table is here."""
        try:
            tables.find(self.space, self._root)
        except SwapError:
            return False
        return True

    def __missing__(self, key: str) -> Any:
        if not self.available():
            failure.fail(f"this run needs the benchmark's own files. {self.problem}")
        if key not in self.keys():
            raise KeyError(key)
        return dict.__getitem__(self, key)

    def __contains__(self, key: object) -> bool:
        return self.available() and super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        self.available()
        return super().__iter__()

    def __bool__(self) -> bool:
        return True

    def __deepcopy__(self, memo: Any) -> LazyApi:
        return self


def patch(module: ModuleType) -> None:
    """Wrap `get_dataset_api` and `load_sampled_architectures`."""
    original = module.get_dataset_api  # type: ignore[attr-defined]
    sampled = module.load_sampled_architectures  # type: ignore[attr-defined]
    root = module.get_project_root  # type: ignore[attr-defined]

    @functools.wraps(original)
    def get_dataset_api(search_space: Any = None, dataset: Any = None) -> Any:
        if search_space not in LAZY or (search_space == "nasbench301" and dataset != "cifar10"):
            return original(search_space, dataset)
        load = functools.partial(original, search_space, dataset)
        return LazyApi(search_space, dataset, root(), load)

    @functools.wraps(sampled)
    def load_sampled_architectures(search_space: str, postfix: str = "") -> Any:
        try:
            return sampled(search_space, postfix)
        except FileNotFoundError:
            if postfix:
                raise
        return failure.loud(architectures)(search_space, root())

    module.get_dataset_api = get_dataset_api  # type: ignore[attr-defined]
    module.load_sampled_architectures = load_sampled_architectures  # type: ignore[attr-defined]


def architectures(space: str, root: Any) -> dict[str, str]:
    """List the architectures of a space's table as NASLib's `archs_<space>.json` does.

    The order is that of the table's first dataset.
    """
    import json

    path = tables.find(space, root)
    data = json.loads(path.read_text())
    data = data.get(space, data)
    first = next(iter(data.values()))
    logger.info("no archs_%s.json: taking the %d architectures of %s", space, len(first), path)
    return {str(index): text for index, text in enumerate(first)}


def patch_query(module: ModuleType) -> None:
    """Wrap `query` of the search spaces that a module defines."""
    for space in repairs.search_spaces(module):
        space.query = _with_table(space.query)


def _with_table(original: Any) -> Any:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def query(self: Any, *args: Any, **options: Any) -> Any:
        given = signature.bind(self, *args, **options).arguments
        api = given.get("dataset_api")
        if not isinstance(api, LazyApi) or api.available():
            return original(self, *args, **options)
        metric = getattr(given.get("metric"), "name", "")
        if metric == "VAL_ACCURACY":
            return _accuracy(self, api)
        return unknown(metric, api.problem)

    return query


def unknown(metric: str, why: Optional[str]) -> int:
    """Return NASLib's sign for unknown; the first time in a process, say why."""
    if not _warned:
        _warned.add(metric)
        logger.warning(
            "%s, and all else that only the benchmark's own files know, is reported as %s: %s",
            metric,
            UNKNOWN,
            why,
        )
    return UNKNOWN


@functools.lru_cache(maxsize=4)
def _all_accuracies(space: str, dataset: str) -> dict[str, float]:
    """Accuracies of every NAS-Bench-201 architecture, where that table is here; else nothing."""
    from naslib_swap import ground_truth, spaces
    from naslib_swap.ground_truth import catalogue

    if space != "nasbench201" or dataset not in spaces.get(space).tasks:
        return {}
    if catalogue.find(catalogue.entry("nasbench201-all")) is None:
        return {}
    return dict(ground_truth.load("nasbench201", space=space, task=dataset).accuracy)


def _accuracy(graph: Any, api: LazyApi) -> Any:
    arch = str(graph.get_hash())
    known = api.accuracy(arch)
    if known is None:
        # Without the table this says where to get it.
        held = len(api.table())
        failure.fail(
            f"the accuracy of {arch} is neither in the zero-cost table of {api.space} "
            f"({held} architectures) nor can it be read from the benchmark: {api.problem}"
        )
    return known
