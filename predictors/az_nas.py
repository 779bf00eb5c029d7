"""AZ-NAS: four proxies' ranks within a cohort, added up."""

from __future__ import annotations

from naslib_swap.combinations import Combination

COMBINATION = Combination(
    name="az_nas",
    title="AZ-NAS",
    members=("expressivity", "progressivity", "trainability", "flops"),
    reference="Lee and Ham 2024, arXiv 2403.19232, equation 9",
)
