"""Our combination: label-free, one rule for all spaces."""

from __future__ import annotations

from naslib_swap.combinations import Combination

COMBINATION = Combination(
    name="guided_rank",
    title="Guided rank",
    members=("expressivity", "last_expressivity", "trainability", "jacov", "l_swag", "flops"),
    weighed=True,
    reference="docs/ranking.md",
)
