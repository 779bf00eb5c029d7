"""One door to every source of accuracies."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from naslib_swap.errors import SwapError
from naslib_swap.ground_truth.analog import load_analog
from naslib_swap.ground_truth.csv_table import load_csv, load_darts1000, load_nasbench201
from naslib_swap.ground_truth.nas201_api import load_nas201_api
from naslib_swap.ground_truth.nasbench301_surrogate import load_surrogate
from naslib_swap.ground_truth.suite_zero import load_suite_zero
from naslib_swap.ground_truth.table import GroundTruth


class _Source(NamedTuple):
    """`spaces` and `tasks` are what the source holds; empty where the file itself decides."""

    load: Callable[[str, str, Path | None], GroundTruth]
    spaces: tuple[str, ...]
    tasks: tuple[str, ...]


_NB201_TASKS = ("cifar10", "cifar100", "ImageNet16-120")
_SOURCES = {
    "analog": _Source(load_analog, ("nasbench201",), ("cifar10",)),
    "suite-zero": _Source(load_suite_zero, (), ()),
    "nasbench201": _Source(load_nasbench201, ("nasbench201",), _NB201_TASKS),
    "darts1000": _Source(load_darts1000, ("darts",), ("cifar10",)),
    "nas-bench-201-api": _Source(load_nas201_api, ("nasbench201",), _NB201_TASKS),
    "nasbench301-surrogate": _Source(load_surrogate, ("nasbench301", "darts"), ("cifar10",)),
    "csv": _Source(load_csv, (), ()),
}


def sources() -> tuple[str, ...]:
    """Names that `load` knows."""
    return tuple(_SOURCES)


def load(
    source: str,
    *,
    space: str | None = None,
    task: str = "cifar10",
    path: str | os.PathLike[str] | None = None,
) -> GroundTruth:
    """Load the accuracies of one task of one search space.

    Args:
        source: `analog` (analog-nasbench), `suite-zero` (NAS-Bench-Suite-Zero), `nasbench201` (its
            own accuracies of all architectures), `darts1000`, `csv` (a user's table);
            `nas-bench-201-api` and `nasbench301-surrogate` need the benchmarks' packages and files.
        space: the search space; may be left out where the source has only one.
        task: the data set or task, as the source names it.
        path: the file to read instead of the source's own; needed for `csv`.

    Raises:
        SwapError: an unknown source; a space or task that it does not hold; a file that is missing,
            damaged, refused or wrong in its checksum; an architecture that the space cannot parse.
    """
    if source not in _SOURCES:
        raise SwapError(
            f"unknown source of accuracies {source!r}: expected one of {', '.join(_SOURCES)}"
        )
    found = _SOURCES[source]
    if space is None:
        if not found.spaces:
            raise SwapError(f"the source {source!r} needs the name of a search space")
        space = found.spaces[0]
    for kind, given, known in (("space", space, found.spaces), ("task", task, found.tasks)):
        if known and given not in known:
            raise SwapError(
                f"the source {source!r} has no {kind} {given!r}; expected {' or '.join(known)}"
            )
    return found.load(space, task, None if path is None else Path(path))
