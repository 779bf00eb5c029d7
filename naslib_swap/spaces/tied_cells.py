"""DARTS architectures whose normal and reduction cell are the same.

The SWAP papers score a single reduction cell, so the normal cell would drift unseen; their
DARTS-1000 table holds tied cells only. A search on the tiny network therefore moves both at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from naslib_swap.spaces.space import SearchSpace


class TiedCells:
    """The moves of a two-celled search space, restricted to one cell used twice.

    Architectures stay those of the wrapped space: `(cell, cell)`.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.name = space.name
        self.canonical = space.canonical
        self.encode = space.encode
        self.parse = space.parse

    def sample(self, rng: np.random.Generator) -> Any:
        """Draw a random cell, and use it twice."""
        cell = self.space.sample(rng)[0]
        return cell, cell

    def mutate(self, arch: Any, rng: np.random.Generator) -> Any:
        """Mutate both cells in the same way, as the wrapped space does."""
        normal, reduction = self.space.mutate(arch, rng)
        changed = normal if normal != arch[0] else reduction
        return changed, changed

    def crossover(self, a: Any, b: Any, rng: np.random.Generator) -> Any:
        """Cross over both cells in the same way, as the wrapped space does."""
        cell = self.space.crossover(a, b, rng)[0]
        return cell, cell
