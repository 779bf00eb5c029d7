"""Cheap copies of search spaces that build no network.

A run from tables asks for a copy of the search space for every architecture, and NASLib copies the
whole super-network (0.1 s and more) although it only writes the architecture's numbers into it.
"""

from __future__ import annotations

import copy
import functools
from types import ModuleType
from typing import Any


def patch(module: ModuleType) -> None:
    """Wrap `Graph.clone` of naslib.search_spaces.core.graph."""
    graph = module.Graph  # type: ignore[attr-defined]
    original = graph.clone

    @functools.wraps(original)
    def clone(self: Any) -> Any:
        # A space that draws without replacement takes architectures out of its own list: each copy
        # needs its own. A space that builds networks writes into the copied graph.
        if getattr(self, "instantiate_model", True) or self.sample_without_replacement:
            return original(self)
        return copy.copy(self)

    graph.clone = clone
