"""The factor by which regularised proxies weigh a network's size."""

from __future__ import annotations

from naslib_swap.errors import SwapError
from naslib_swap.predictors.probe import Probe
from naslib_swap.regularisation import log_factor


def log_factor_of(probe: Probe, name: str) -> float:
    """-(theta - mu)^2 / sigma, theta = parameters in thousands; mu and sigma from the settings.

    Raises:
        SwapError: If `mu` or `sigma` is not set; `name` says for which proxy.
    """
    missing = [setting for setting in ("mu", "sigma") if setting not in probe.settings]
    if missing:
        raise SwapError(
            f"{name} needs the settings mu and sigma, {' and '.join(missing)} not given; derive "
            "them with naslib_swap.regularisation.from_sizes"
        )
    theta = sum(parameter.numel() for parameter in probe.net.parameters()) / 1000
    return log_factor(theta, float(probe.settings["mu"]), float(probe.settings["sigma"]))
