"""Regularised flops."""

from __future__ import annotations

import math

from naslib_swap.predictors import flops, size
from naslib_swap.predictors.probe import Probe
from naslib_swap.predictors.proxy import Proxy


def compute(probe: Probe) -> float:
    """log of `flops`, less (theta - mu)^2 / sigma: the logarithm, which ranks alike.

    theta is the number of parameters in thousands.

    Settings: `mu` and `sigma`, in thousands of parameters.

    Raises:
        SwapError: If `mu` or `sigma` is not set.
    """
    factor = size.log_factor_of(probe, "reg_flops")
    return math.log(flops.macs(probe)) + factor


PROXY = Proxy(
    name="reg_flops",
    title="reg-FLOPs",
    compute=compute,
    needs=frozenset(),
    reference="Peng et al. 2024, arXiv 2403.04161, definition 3.3 on FLOPs",
    scale="natural logarithm",
    reads=frozenset({"mu", "sigma"}),
)
