"""Expressivity of the last stage alone."""

from __future__ import annotations

from naslib_swap.predictors.expressivity import entropies
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.predictors.passes.stages import READS
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return the entropy of the last stage's principal components; see `expressivity`.

    Settings: those of `naslib_swap.predictors.passes.stages`.
    """
    return entropies(probe)[-1]


PROXY = Proxy(
    name="last_expressivity",
    title="Last expressivity",
    compute=compute,
    needs=frozenset(),
    reference="one term of Lee and Ham 2024, AZ-NAS, arXiv 2403.19232, section 3.2",
    scale="nats",
    reads=READS,
    passes=frozenset({"stages"}),
)
