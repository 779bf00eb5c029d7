"""The plain type that carries accuracies, and the canonical keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from naslib_swap import spaces
from naslib_swap.errors import BadArgument, SwapError


@dataclass(frozen=True)
class GroundTruth:
    """Measured accuracies of one (space, task), and proxies that came with them.

    `accuracy[arch]` is the validation or test accuracy that the source reports, in its own unit
    (percent; TransNAS-Bench-101 has SSIM or a negative loss for some tasks), higher is better.
    `proxies[proxy][arch]` are scores that the source stores; an architecture whose proxy failed is
    missing there. Keys are the canonical strings of the search space.
    """

    space: str
    task: str
    source: str
    accuracy: dict[str, float]
    proxies: dict[str, dict[str, float]] = field(default_factory=dict)


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


def add_accuracy(accuracy: dict[str, float], key: str, value: float, where: str) -> None:
    """Enter an accuracy; SwapError when it is not finite or contradicts an earlier one."""
    if not math.isfinite(value):
        raise SwapError(f"{where}: the accuracy of {key} is {value}; expected a finite number")
    if accuracy.setdefault(key, value) != value:
        raise SwapError(
            f"{where}: {key} has two accuracies, {accuracy[key]} and {value}; keep one of them"
        )


def require_ranks(archs: Sequence[str], accuracy: Mapping[str, float]) -> None:
    """Raise BadArgument where all of these architectures have one accuracy."""
    if len({accuracy[arch] for arch in archs}) == 1:
        raise BadArgument(
            f"got {len(archs)} architectures that all have the accuracy {accuracy[archs[0]]}, "
            "expected accuracies that differ: there is nothing to rank."
        )
