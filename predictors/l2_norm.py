"""The norm of the weights."""

from __future__ import annotations

from naslib_swap.predictors.layers import weighted_layers
from naslib_swap.predictors.probe import Probe
from naslib_swap.predictors.proxy import Proxy


def compute(probe: Probe) -> float:
    """Sum over Conv2d and Linear layers of the Euclidean norm of the weight."""
    layers = weighted_layers(probe.net).values()
    return sum(float(layer.weight.detach().norm()) for layer in layers)


PROXY = Proxy(
    name="l2_norm",
    title="L2 norm",
    compute=compute,
    reference="Abdelfattah et al. 2021, arXiv 2101.08134; NAS-Bench-Suite-Zero, arXiv 2210.03230",
    scale="linear",
)
