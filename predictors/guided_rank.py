"""Our combination: label-free, one rule for all spaces.

Four questions have a vote each: does the network tell inputs apart, can it be trained, do its
gradients vary little while its patterns are many, and how much does it compute? What answers one of
them is believed as far as it agrees with the answers to the others.
"""

from __future__ import annotations

from naslib_swap.combinations import Combination

GROUPS = (("mean_expressivity", "jacov"), ("trainability",), ("scaled_l_swag",), ("flops",))

COMBINATION = Combination(
    name="guided_rank",
    title="Guided rank",
    members=sum(GROUPS, ()),
    groups=GROUPS,
    reference="docs/ranking.md",
)
