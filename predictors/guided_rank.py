"""Our combination: label-free, one rule for all spaces.

Three questions have a vote each: how many inputs does the network tell apart, can it be trained,
and how much can it learn? What answers one of them is believed as far as it agrees with the answers
to the others.
"""

from __future__ import annotations

from naslib_swap.combinations import Combination

EXPRESSIVITY = ("expressivity", "swap", "jacov")
TRAINABILITY = ("trainability",)
CAPACITY = ("l_swag", "flops")

COMBINATION = Combination(
    name="guided_rank",
    title="Guided rank",
    members=(*EXPRESSIVITY, *TRAINABILITY, *CAPACITY),
    groups=(EXPRESSIVITY, TRAINABILITY, CAPACITY),
    reference="docs/ranking.md",
)
