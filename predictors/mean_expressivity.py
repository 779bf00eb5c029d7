"""Expressivity as a mean over stages, for networks that differ in their number."""

from __future__ import annotations

from statistics import fmean

from naslib_swap.predictors.expressivity import entropies
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.predictors.passes.stages import READS
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return the mean over stages of the entropy of a feature's principal components.

    Where all networks of a space have as many stages it ranks as `expressivity`, AZ-NAS's sum.
    Where they do not, the sum says little more than their number.

    Settings: those of `naslib_swap.predictors.passes.stages`.
    """
    return fmean(entropies(probe))


PROXY = Proxy(
    name="mean_expressivity",
    title="Mean expressivity",
    compute=compute,
    needs=frozenset(),
    reference="docs/ranking.md; Lee and Ham 2024, AZ-NAS, arXiv 2403.19232, section 3.2",
    scale="nats per stage",
    reads=READS,
    passes=frozenset({"stages"}),
)
