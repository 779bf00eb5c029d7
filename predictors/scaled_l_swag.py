"""L-SWAG for networks of different depth: divided by a power of the number of its layers."""

from __future__ import annotations

from naslib_swap.predictors import l_swag
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Measurement, Proxy

POWER = 0.75


def compute(probe: Probe) -> Measurement:
    """Return L-SWAG / n^0.75, n the number of layers in its interval, and SWAP's saturation.

    The paper's sum grows with the number of layers: between networks of different depth it tells
    little else. A mean (power 1) forgets depth, and puts the shallowest networks first where depth
    matters, as on NAS-Bench-101. The power between them was chosen with accuracies: see
    docs/ranking.md. n counts all layers in the interval, also those that the loss does not reach.

    Settings and errors: those of `l_swag`.
    """
    found = l_swag.compute(probe)
    interval = probe.settings.get("l_swag_interval", l_swag.WHOLE)
    layers = len(l_swag.layers_within(probe.outline, interval))
    return Measurement(found.value / layers**POWER, found.saturation)


PROXY = Proxy(
    name="scaled_l_swag",
    title="Scaled L-SWAG",
    compute=compute,
    needs=l_swag.PROXY.needs,
    reference="docs/ranking.md; Casarin et al. 2025, arXiv 2505.07300, equation 1",
    scale="natural logarithm times distinct patterns, per layer^0.75",
    reads=l_swag.PROXY.reads,
)
