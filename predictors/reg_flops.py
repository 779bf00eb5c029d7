"""Regularised number of multiply-accumulates."""

from __future__ import annotations

from naslib_swap.predictors import flops
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.predictors.passes.size import READS, regularised
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return log FLOPs - (theta - mu)^2 / sigma, theta = parameters in thousands.

    The logarithm ranks as the regularised value does. Settings: `mu` and `sigma`, in thousands of
    parameters.
    """
    return regularised(probe, flops.macs(probe), "reg_flops")


PROXY = Proxy(
    name="reg_flops",
    title="reg-FLOPs",
    compute=compute,
    reference="Peng et al. 2024, arXiv 2403.04161, definition 3.3 on FLOPs",
    scale="natural logarithm",
    reads=READS,
)
