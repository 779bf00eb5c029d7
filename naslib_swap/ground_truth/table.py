"""The plain type that carries accuracies, and the canonical keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from naslib_swap import spaces
from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.quoting import shown

FAILED = -1e8
"""What NASLib and its tables store for a score that could not be computed."""

FEWEST = 3
"""Fewer architectures cannot be ranked, so a table that keeps fewer is refused."""


@dataclass(frozen=True)
class GroundTruth:
    """Measured accuracies of one (space, task), and proxies that came with them.

    Attributes
    ----------
    space, task, source
        What was measured, and where the numbers come from.
    accuracy
        ``accuracy[arch]`` is the validation or test accuracy that the source reports, in its own
        unit (percent; TransNAS-Bench-101 has SSIM or a negative loss for some tasks), higher is
        better. Keys are the canonical strings of the search space.
    proxies
        ``proxies[proxy][arch]`` are scores that the source stores; an architecture whose proxy
        failed is missing there.
    notes
        Sentences that say what of the source was left out, and why.
    """

    space: str
    task: str
    source: str
    accuracy: dict[str, float]
    proxies: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A source of accuracies.

    Attributes
    ----------
    name
        The name under which it is found.
    load
        Takes a space, a task and the path of a file (None for the source's own).
    spaces, tasks
        What it holds; empty where the file itself decides.
    """

    name: str
    load: Callable[[str, str, Path | None], GroundTruth]
    spaces: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


def canonical(space: str) -> Callable[[str], str]:
    """A function that brings any known notation of an architecture to the canonical string."""
    found = spaces.get(space)
    return lambda text: found.encode(found.parse(text))


def key_of_record(key_of: Callable[[str], str], text: str, where: str) -> str:
    """Return the canonical string of a table's record; BadFile says which record is no network."""
    try:
        return key_of(text)
    except BadArgument as error:
        raise BadFile(f"{where}: {error}") from error


def add_accuracy(accuracy: dict[str, float], key: str, value: float, where: str) -> None:
    """Enter an accuracy; BadFile when it is not finite or contradicts an earlier one."""
    if not math.isfinite(value):
        raise BadFile(f"{where}: the accuracy of {key} is {value}; expected a finite number")
    if accuracy.setdefault(key, value) != value:
        raise BadFile(
            f"{where}: {key} has two accuracies, {accuracy[key]} and {value}; keep one of them"
        )


def require_ranks(archs: Sequence[str], accuracy: Mapping[str, float]) -> None:
    """Raise BadArgument where all of these architectures have one accuracy."""
    if len({accuracy[arch] for arch in archs}) == 1:
        raise BadArgument(
            f"got {len(archs)} architectures that all have the accuracy {accuracy[archs[0]]}, "
            "expected accuracies that differ: there is nothing to rank."
        )


def number(cell: object) -> float | None:
    """Read a score from a cell of a table.

    Parameters
    ----------
    cell
        A number, or a text that is one.

    Returns
    -------
    float or None
        None for what is no finite number, and for -1e8, by which NASLib marks a failure.
    """
    if isinstance(cell, bool) or not isinstance(cell, (int, float, str)):
        return None
    try:
        # Python reads 1_000 as a number; in a table it is more likely a name.
        value = math.nan if isinstance(cell, str) and "_" in cell else float(cell)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and value != FAILED else None


def read_accuracies(
    cells: Iterable[tuple[str, object]], where: str
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Read the accuracies of a table; rows without one are left out, and said.

    Parameters
    ----------
    cells
        The canonical string of each architecture, and what the table has as its accuracy.
    where
        What messages call the table.

    Returns
    -------
    accuracy : dict
        The accuracy of each architecture that has one.
    notes : tuple of str
        One sentence where rows were left out, else nothing.

    Raises
    ------
    BadFile
        Two different accuracies of one architecture; or rows were left out, and fewer than
        `FEWEST` architectures remain.
    """
    accuracy: dict[str, float] = {}
    dropped: list[tuple[str, object]] = []
    total = 0
    for key, cell in cells:
        total += 1
        value = number(cell)
        if value is None:
            dropped.append((key, cell))
        else:
            add_accuracy(accuracy, key, value, where)
    if not dropped:
        return accuracy, ()
    key, cell = dropped[0]
    said = f"{len(dropped)} of {total} rows have no accuracy (the first is {shown(cell, 40)}, of "
    said += f"{shown(key, 60)})"
    if len(accuracy) < FEWEST:
        raise BadFile(
            f"{where}: {said}, which leaves {len(accuracy)} architectures; expected numbers, and "
            f"at least {FEWEST} of them"
        )
    return accuracy, (f"{where}: {said}; they are left out.",)
