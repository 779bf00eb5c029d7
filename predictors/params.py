"""The number of parameters."""

from __future__ import annotations

from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return the number of parameters in millions: every `Parameter` once."""
    return probe.parameters / 1e6


PROXY = Proxy(
    name="params",
    title="#Params",
    compute=compute,
    reference="Ning et al. 2021, arXiv 2008.03064; NAS-Bench-Suite-Zero, arXiv 2210.03230",
    scale="millions",
    size_weighable=True,
)
