"""The norm of the weights."""

from __future__ import annotations

from naslib_swap.predictors.passes.layers import weights
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return the sum over Conv2d and Linear layers of the Euclidean norm of the weight."""
    return sum(float(weight.detach().norm()) for weight in weights(probe.net))


PROXY = Proxy(
    name="l2_norm",
    title="L2 norm",
    compute=compute,
    reference="Abdelfattah et al. 2021, arXiv 2101.08134; NAS-Bench-Suite-Zero, arXiv 2210.03230",
    scale="linear",
    size_weighable=True,
)
