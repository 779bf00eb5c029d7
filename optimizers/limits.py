"""Limits on what the networks cost that a search may look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from naslib_swap.errors import BadArgument
from naslib_swap.optimizers.costs import Cost
from naslib_swap.spaces.space import Moves


@dataclass(frozen=True)
class Limit:
    """A window of one cost, both ends included.

    Attributes
    ----------
    cost
        What is limited.
    least, most
        None where there is no limit.
    """

    cost: Cost
    least: float | None = None
    most: float | None = None

    def __call__(self, arch: Any) -> bool:
        """Tell whether the architecture's cost lies within; one that is not known does not."""
        return self.admits(self.cost.of(arch))

    def admits(self, value: float) -> bool:
        """Tell whether a cost lies within."""
        least = -np.inf if self.least is None else self.least
        most = np.inf if self.most is None else self.most
        return bool(least <= value <= most)

    def spelled(self) -> str:
        """Say which costs are within."""
        shown, unit = self.cost.shown, self.cost.unit
        if self.least is None:
            return f"at most {shown(self.most or 0)} {unit}"
        if self.most is None:
            return f"at least {shown(self.least)} {unit}"
        return f"{shown(self.least)} to {shown(self.most)} {unit}"


@dataclass(frozen=True)
class Limits:
    """Limits that all hold; the cheap ones first."""

    limits: tuple[Limit, ...] = ()

    def __call__(self, arch: Any) -> bool:
        """Tell whether all limits admit the architecture."""
        return all(limit(arch) for limit in self.limits)

    def check(self, space: Moves, rng: np.random.Generator) -> None:
        """Complain before the search where no random architecture lies within.

        Raises
        ------
        BadArgument
            An empty window; one that random draws miss, or two that none of them meets together.
            The message names the costs drawn.
        """
        for limit in self.limits:
            if limit.least is not None and limit.most is not None and limit.least > limit.most:
                shown = limit.cost.shown
                raise BadArgument(
                    f"got {shown(limit.least)} as the fewest {limit.cost.unit} and "
                    f"{shown(limit.most)} as the most, expected the fewest to be no more than the "
                    "most."
                )
        if not self.limits:
            return
        draws = min(limit.cost.draws for limit in self.limits)
        seen: list[list[float]] = [[] for _ in self.limits]
        for _ in range(draws):
            arch = space.sample(rng)
            within = True
            for values, limit in zip(seen, self.limits):
                values.append(limit.cost.of(arch))
                within = within and limit.admits(values[-1])
            if within:
                return
        raise BadArgument(self._missed(space.name, draws, seen))

    def _missed(self, space: str, draws: int, seen: list[list[float]]) -> str:
        none_of = f"none of {draws} random {space} architectures"
        for values, limit in zip(seen, self.limits):
            if any(map(limit.admits, values)):
                continue
            known = [value for value in values if not np.isnan(value)]
            if not known:
                return f"{none_of} has a known cost in {limit.cost.unit}: give another table."
            shown = limit.cost.shown
            return (
                f"{none_of} has {limit.spelled()}; they had {shown(min(known))} to "
                f"{shown(max(known))}: widen the limits."
            )
        bounded = [one for one in self.limits if (one.least, one.most) != (None, None)]
        together = " and ".join(limit.spelled() for limit in bounded)
        return f"{none_of} has {together} together: widen one of the limits."
