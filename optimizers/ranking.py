"""What a search by a combination has scored so far: the cohort in which fitness is a rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from naslib_swap.combinations import Combination, signed
from naslib_swap.optimizers.fitness import Scored


@dataclass(frozen=True, eq=False)
class Ranking:
    """Architectures and their values by the members of a combination.

    Attributes
    ----------
    combination
        What ranks them.
    archs
        Their names, in the order of scoring.
    values
        float64 [members, archs]; higher is better, NaN where a member has no value.
    """

    combination: Combination
    archs: tuple[str, ...] = ()
    values: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))

    def add(self, measured: Mapping[str, Scored]) -> Ranking:
        """Return the ranking with more architectures in it."""
        if not measured:
            return self
        rows = [
            signed(np.array([one.values.get(member) for one in measured.values()], float), member)
            for member in self.combination.members
        ]
        values = np.hstack([self.values, rows]) if self.archs else np.array(rows)
        return Ranking(self.combination, (*self.archs, *measured), values)

    @cached_property
    def fitness(self) -> dict[str, float]:
        """The combined score of each architecture among all of them."""
        return dict(zip(self.archs, self.combination.among(self.values).tolist()))

    def unscored(self) -> list[str]:
        """Return the members that gave no architecture a value."""
        blank = np.isnan(self.values).all(axis=1)
        return [member for member, none in zip(self.combination.members, blank) if none]
