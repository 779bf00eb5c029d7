"""Regularised SWAP-Score: SWAP weighed by the size of the network."""

from __future__ import annotations

import math

from naslib_swap.errors import SwapError
from naslib_swap.predictors.probe import Probe
from naslib_swap.predictors.proxy import Measurement, Proxy
from naslib_swap.predictors.swap import swap_of
from naslib_swap.regularisation import log_factor


def compute(probe: Probe) -> Measurement:
    """log Psi - (theta - mu)^2 / sigma: the logarithm of the regularised score, which ranks alike.

    Settings: `mu` and `sigma`, in thousands of parameters as theta is.

    Raises:
        SwapError: If `mu` or `sigma` is not set.
    """
    missing = [name for name in ("mu", "sigma") if name not in probe.settings]
    if missing:
        raise SwapError(
            f"reg_swap needs the settings mu and sigma, {' and '.join(missing)} not given; derive "
            "them with naslib_swap.regularisation.from_sizes"
        )
    swap = swap_of(probe)
    theta = swap.parameters / 1000
    log_score = math.log(swap.score) + log_factor(
        theta, float(probe.settings["mu"]), float(probe.settings["sigma"])
    )
    return Measurement(log_score, swap.saturation)


PROXY = Proxy(
    name="reg_swap",
    title="reg-SWAP",
    compute=compute,
    needs=frozenset({"data"}),
    reference="Peng et al. 2024, arXiv 2403.04161, definition 3.4",
    scale="natural logarithm",
    reads=frozenset({"repeats", "batch_repeats", "mu", "sigma"}),
)
