"""Our combination for the top of a search: large and expressive networks whose gradients are small.

Among networks that are large and tell inputs apart, those with a short way from output to input
are trained best, and their gradients are the smaller ones. Gradient norms alone rank the other way
round, as they grow with size; so they count against a network once its size counts for it.
"""

from __future__ import annotations

from naslib_swap.combinations import Combination

COMBINATION = Combination(
    name="steady_rank",
    title="Steady rank",
    members=("flops", "nwot", "synflow", "fisher"),
    against=("fisher",),
    reference="docs/search.md",
)
