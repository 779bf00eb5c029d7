"""Regularised SWAP-Score: SWAP weighed by the size of the network."""

from __future__ import annotations

from naslib_swap.predictors import swap
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.predictors.passes.size import READS, regularised
from naslib_swap.proxies import Measurement, Proxy


def compute(probe: Probe) -> Measurement:
    """Return log Psi - (theta - mu)^2 / sigma, theta = parameters in thousands.

    The logarithm ranks as the regularised score does. Settings: `mu` and `sigma`, in thousands of
    parameters, and those of `swap`.
    """
    found = swap.swap_of(probe)
    return Measurement(regularised(probe, found.score, "reg_swap"), found.saturation)


PROXY = Proxy(
    name="reg_swap",
    title="reg-SWAP",
    compute=compute,
    needs=frozenset({"data"}),
    reference="Peng et al. 2024, arXiv 2403.04161, definition 3.4",
    scale="natural logarithm",
    reads=swap.PROXY.reads | READS,
)
