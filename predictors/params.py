"""The number of parameters."""

from __future__ import annotations

from naslib_swap.predictors.probe import Probe
from naslib_swap.predictors.proxy import Proxy


def compute(probe: Probe) -> float:
    """Number of parameters, in millions: every `Parameter` once, biases and norms included."""
    return sum(p.numel() for p in probe.net.parameters()) / 1e6


PROXY = Proxy(
    name="params",
    title="#Params",
    compute=compute,
    reference="Ning et al. 2021, arXiv 2008.03064; NAS-Bench-Suite-Zero, arXiv 2210.03230",
    scale="millions",
    size_weighable=True,
)
