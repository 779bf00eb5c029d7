"""VKDNW's aggregate: five proxies' ranks within a cohort, added up."""

from __future__ import annotations

from naslib_swap.combinations import Combination

COMBINATION = Combination(
    name="vkdnw_agg",
    title="VKDNW aggregate",
    members=("vkdnw", "expressivity", "trainability", "flops", "jacov"),
    reference="Tybl and Neumann 2025, arXiv 2502.04975, equation 14",
)
