"""Regularised SWAP-Score: SWAP weighed by the size of the network."""

from __future__ import annotations

import math

from naslib_swap.predictors.probe import Probe
from naslib_swap.predictors.proxy import Measurement, Proxy
from naslib_swap.predictors.size import log_factor_of
from naslib_swap.predictors.swap import swap_of


def compute(probe: Probe) -> Measurement:
    """log Psi - (theta - mu)^2 / sigma: the logarithm of the regularised score, which ranks alike.

    Settings: `mu` and `sigma`, in thousands of parameters as theta is.

    Raises:
        SwapError: If `mu` or `sigma` is not set.
    """
    weighting = log_factor_of(probe, "reg_swap")
    swap = swap_of(probe)
    return Measurement(math.log(swap.score) + weighting, swap.saturation)


PROXY = Proxy(
    name="reg_swap",
    title="reg-SWAP",
    compute=compute,
    needs=frozenset({"data"}),
    reference="Peng et al. 2024, arXiv 2403.04161, definition 3.4",
    scale="natural logarithm",
    reads=frozenset({"repeats", "batch_repeats", "mu", "sigma"}),
)
