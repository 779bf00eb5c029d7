"""Progressivity of AZ-NAS: the least growth of expressivity from stage to stage."""

from __future__ import annotations

from naslib_swap.predictors.expressivity import entropies
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.predictors.passes.stages import READS
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return the smallest difference between the entropies of consecutive stages.

    Settings: those of `naslib_swap.predictors.passes.stages`.
    """
    values = entropies(probe)
    return min(later - before for before, later in zip(values, values[1:]))


PROXY = Proxy(
    name="progressivity",
    title="Progressivity",
    compute=compute,
    needs=frozenset(),
    reference="Lee and Ham 2024, AZ-NAS, arXiv 2403.19232, section 3.2",
    scale="nats",
    reads=READS,
    passes=frozenset({"stages"}),
)
