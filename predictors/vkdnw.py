"""VKDNW: the number of parameter tensors, and among equals the entropy of the Fisher spectrum."""

from __future__ import annotations

import math

from naslib_swap.predictors import vkdnw_entropy
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.predictors.vkdnw_entropy import QUANTILES, READS
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return the number of parameter tensors + H / log 9, H of `vkdnw_entropy`.

    H is below log 9, so that this ranks networks exactly as the authors' code does, by the number
    of tensors first and by H among equals (their VKDNW_single). The paper's equation 12 adds H
    itself, which may exceed 1.

    Settings and errors: those of `vkdnw_entropy`.
    """
    tensors = sum(1 for _ in probe.net.parameters())
    return tensors + vkdnw_entropy.compute(probe) / math.log(QUANTILES)


PROXY = Proxy(
    name="vkdnw",
    title="VKDNW",
    compute=compute,
    needs=frozenset({"gradients"}),
    reference="Tybl and Neumann 2025, arXiv 2502.04975, equation 12",
    scale="parameter tensors",
    reads=READS,
    passes=frozenset({"fisher_information"}),
    by_default=False,
)
