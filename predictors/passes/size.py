"""How regularised proxies weigh a value by the network's size."""

from __future__ import annotations

from naslib_swap.errors import BadArgument
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.regularisation import log_regularised

READS = frozenset({"mu", "sigma"})


def regularised(probe: Probe, value: float, name: str) -> float:
    """Return log value - (theta - mu)^2 / sigma, theta = parameters in thousands.

    `mu` and `sigma` come from the settings. `name` names the proxy in the error.

    Raises
    ------
    BadArgument
        If `mu` or `sigma` is not set.
    """
    missing = [setting for setting in sorted(READS) if setting not in probe.settings]
    if missing:
        raise BadArgument(
            f"{name} needs the settings mu and sigma; {' and '.join(missing)} missing. Derive them "
            "with naslib_swap.regularisation.from_sizes."
        )
    mu, sigma = float(probe.settings["mu"]), float(probe.settings["sigma"])
    return log_regularised(value, probe.parameters / 1000, mu, sigma)
