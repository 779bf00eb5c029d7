"""One door to every source of accuracies."""

from __future__ import annotations

import os
from pathlib import Path

from naslib_swap.errors import BadArgument
from naslib_swap.ground_truth.table import GroundTruth, Source
from naslib_swap.registry import Registry

SOURCES: Registry[Source] = Registry(
    "source of accuracies", "naslib_swap.ground_truth", "SOURCE", "naslib_swap.ground_truth"
)
register, sources = SOURCES.register, SOURCES.names


def load(
    source: str,
    *,
    space: str | None = None,
    task: str = "cifar10",
    path: str | os.PathLike[str] | None = None,
) -> GroundTruth:
    """Load the accuracies of one task of one search space.

    Parameters
    ----------
    source
        ``analog`` (analog-nasbench), ``suite-zero`` (NAS-Bench-Suite-Zero), ``nasbench201`` (its
        own accuracies of all architectures), ``darts1000``, ``csv`` (a user's table);
        ``nas-bench-201-api`` and ``nasbench301-surrogate`` need the benchmarks' packages and files.
    space
        The search space; may be left out where the source has only one.
    task
        The data set or task, as the source names it.
    path
        The file to read instead of the source's own; needed for ``csv``.

    Raises
    ------
    SwapError
        An unknown source; a space or task that it does not hold; a file that is missing, damaged,
        refused or wrong in its checksum; an architecture that the space cannot parse.
    """
    found = SOURCES.get(source)
    if space is None:
        if not found.spaces:
            raise BadArgument(f"the source {source!r} needs the name of a search space")
        space = found.spaces[0]
    for kind, given, known in (("space", space, found.spaces), ("task", task, found.tasks)):
        if known and given not in known:
            raise BadArgument(
                f"the source {source!r} has no {kind} {given!r}; expected {' or '.join(known)}"
            )
    return found.load(space, task, None if path is None else Path(path))
