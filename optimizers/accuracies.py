"""True accuracies, where there are some: the rank of what was found, and the choice by a few.

A search needs none. What used them says so in its result.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naslib_swap import ground_truth, spaces
from naslib_swap.errors import BadArgument, BadFile, SwapError
from naslib_swap.files import write_text
from naslib_swap.ground_truth import catalogue
from naslib_swap.ground_truth.nasbench301_surrogate import Predictions

Ask = Callable[[str], float]
"""Gives the true accuracy of an architecture in its space's notation; higher is better."""


@dataclass(frozen=True)
class Table:
    """Measured accuracies of a space.

    Attributes
    ----------
    space, source
        What was measured, and where the numbers come from.
    accuracy
        By the space's own notation.
    """

    space: str
    source: str
    accuracy: Mapping[str, float]

    def of(self, arch: str) -> float | None:
        """Return the accuracy of an architecture, or of one with the same network; None where none.

        Architectures with the same network were trained apart, so that their accuracies differ a
        little: the one asked for comes first.
        """
        if arch in self.accuracy:
            return self.accuracy[arch]
        space = spaces.get(self.space)
        return self.accuracy.get(space.encode(space.canonical(space.parse(arch))))

    def known(self, arch: str) -> float:
        """Return the accuracy of an architecture.

        Raises
        ------
        BadArgument
            It is not in the table.
        """
        found = self.of(arch)
        if found is None:
            raise BadArgument(
                f"got {arch}, of which {self.source} has no accuracy; expected a table of all that "
                "is searched, or --accuracy module:function."
            )
        return found

    def standing(self, arch: str) -> dict[str, Any] | None:
        """Return the true accuracy of an architecture and its rank; None where it is not known.

        Predictions of any architecture give no rank.
        """
        found = self.of(arch)
        if found is None:
            return None
        if isinstance(self.accuracy, Predictions):
            return {"source": self.source, "accuracy": found}
        best = max(self.accuracy.values())
        return {
            "source": self.source,
            "accuracy": found,
            "rank": 1 + sum(value > found for value in self.accuracy.values()),
            "of": len(self.accuracy),
            "regret": best - found,
        }


def table(space: str, task: str, source: str | None, file: str | None) -> Table:
    """Load the accuracies that a user names.

    Raises
    ------
    SwapError
        As `naslib_swap.ground_truth.load`.
    """
    named = source or ("csv" if file else spaces.get(space).task(task).accuracies)
    if not named:
        raise BadArgument(
            f"no accuracies of {space}, {task} are known, expected --truth-file, a table of "
            "arch,val_accuracy."
        )
    found = ground_truth.load(named, space=space, task=task, path=file)
    return Table(space, found.source, found.accuracy)


def table_at_hand(space: str, task: str) -> Table | None:
    """Load the largest table that is here already; nothing is downloaded."""
    own = spaces.get(space).task(task).accuracies
    whole = spaces.get(space).count or math.inf
    best: Table | None = None
    with catalogue.without_downloads():
        for name in dict.fromkeys([own, *ground_truth.sources()]):
            source = ground_truth.SOURCES.get(name) if name else None
            if source is None or (name != own and space not in source.spaces):
                continue
            if source.tasks and task not in source.tasks:
                continue
            try:
                found = source.load(space, task, None)
            except SwapError:  # not at hand
                continue
            if best is None or len(found.accuracy) > len(best.accuracy):
                best = Table(space, name, found.accuracy)
            if len(best.accuracy) >= whole:  # no other can be larger, and reading takes seconds
                break
    return best


def asked(archs: Sequence[str], ask: Ask, file: Path | None) -> dict[str, float]:
    """Return the true accuracies of architectures; each is asked for once, also after a resume.

    Parameters
    ----------
    archs
        In the order in which they are asked for.
    ask
        Gives one.
    file
        Where they are kept as they come; None keeps none.

    Raises
    ------
    BadArgument
        `ask` fails, or gives no finite number. What was asked before is kept.
    BadFile
        The file is damaged or cannot be written.
    """
    known = _read(file) if file is not None and file.exists() else {}
    for arch in archs:
        if arch not in known:
            known[arch] = _number(arch, ask)
            if file is not None:
                lines = (json.dumps({"arch": a, "accuracy": known[a]}) + "\n" for a in known)
                write_text(file, "".join(lines))
    return {arch: known[arch] for arch in archs}


def _number(arch: str, ask: Ask) -> float:
    found = ask(arch)
    try:
        value = float(found)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise BadArgument(f"got {found!r} as the accuracy of {arch}, expected a finite number.")
    return value


def _read(file: Path) -> dict[str, float]:
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        return {str(one["arch"]): float(one["accuracy"]) for one in lines}
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise BadFile(
            f"{file} cannot be read ({type(error).__name__}), expected accuracies as this program "
            "writes them. It was left as it is; search anew in another folder."
        ) from error
