"""Limits on the size of the networks that a search may look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from naslib_swap.errors import BadArgument
from naslib_swap.spaces.space import Moves

_DRAWS = 2000


@dataclass(frozen=True)
class SizeLimits:
    """A window of parameter counts, both ends included.

    Attributes
    ----------
    parameters
        Counts the parameters of an architecture, of the network that the limits are for.
    smallest, largest
        None where there is no limit.
    """

    parameters: Callable[[Any], int]
    smallest: int | None = None
    largest: int | None = None

    def __call__(self, arch: Any) -> bool:
        """Tell whether the architecture's size lies within."""
        count = self.parameters(arch)
        return (self.smallest is None or count >= self.smallest) and (
            self.largest is None or count <= self.largest
        )

    def check(self, space: Moves, rng: np.random.Generator) -> None:
        """Complain before the search where none of 2000 random architectures lies within.

        Raises
        ------
        BadArgument
            An empty window, or one that random draws miss; it names the sizes drawn.
        """
        if None not in (self.smallest, self.largest) and self.smallest > self.largest:  # type: ignore[operator]
            raise BadArgument(
                f"got {self.smallest:,} as the fewest parameters and {self.largest:,} as the most, "
                "expected the fewest to be no more than the most."
            )
        counts = []
        for _ in range(_DRAWS):
            arch = space.sample(rng)
            if self(arch):
                return
            counts.append(self.parameters(arch))
        raise BadArgument(
            f"none of {_DRAWS} random {space.name} architectures has "
            f"{_spelled(self.smallest, self.largest)} parameters; they had {min(counts):,} to "
            f"{max(counts):,}: widen the limits."
        )


def _spelled(smallest: int | None, largest: int | None) -> str:
    if smallest is None:
        return f"at most {largest:,}"
    return f"at least {smallest:,}" if largest is None else f"{smallest:,} to {largest:,}"
