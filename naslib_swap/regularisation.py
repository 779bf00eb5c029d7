"""Regularisation of SWAP-Score by network size: the factor, and where mu and sigma come from.

Sizes, ``mu`` and ``sigma`` are in thousands of parameters throughout.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naslib_swap.errors import BadArgument

if TYPE_CHECKING:
    import numpy as np


def log_factor(theta: float, mu: float, sigma: float) -> float:
    """Return ``-(theta - mu)^2 / sigma``, the logarithm of the regularisation factor.

    arXiv 2403.04161, definition 3.3; ``sigma`` is not squared there. In the log domain nothing
    underflows, so far-away sizes keep their order.

    Raises
    ------
    BadArgument
        If ``mu`` or ``sigma`` is not finite, ``sigma`` is not positive, or the logarithm is no
        finite number.
    """
    if not math.isfinite(mu) or not math.isfinite(sigma) or sigma <= 0:
        raise BadArgument(
            f"got mu={mu}, sigma={sigma}, expected finite numbers (thousands of parameters) with "
            "sigma > 0."
        )
    try:
        found = -((theta - mu) ** 2) / sigma
    except OverflowError:
        found = -math.inf
    if math.isinf(found):
        raise BadArgument(
            f"got mu={mu:g}, sigma={sigma:g} for a network of {theta:g} thousand parameters, "
            "expected sizes near the network's: (theta - mu)^2 / sigma is too large for a number."
        )
    return found


def log_regularised(value: float, theta: float, mu: float, sigma: float) -> float:
    """Return ``log(value) - (theta - mu)^2 / sigma``: the regularised value's logarithm.

    It ranks as the regularised value does (arXiv 2403.04161, definition 3.4), and does not
    underflow. A value of 0 gives minus infinity.

    Raises
    ------
    BadArgument
        If ``value`` is negative or not a number, or as for `log_factor`.
    """
    if not value >= 0:
        raise BadArgument(
            f"got a value of {value} to weigh by size, expected 0 or more: its logarithm is needed."
        )
    return (math.log(value) if value else -math.inf) + log_factor(theta, mu, sigma)


@dataclass(frozen=True)
class Regularisation:
    """``mu`` and ``sigma`` (thousands of parameters), and the rule that they came from."""

    mu: float
    sigma: float
    rule: str = "given"

    def of(self, value: float, theta: float) -> float:
        """Return the logarithm of a regularised value, for ``theta`` thousand parameters."""
        return log_regularised(value, theta, self.mu, self.sigma)


# Label-free rules from a sample of sizes to (mu, sigma). docs/regularisation.md compares them.
RULES: dict[str, Callable[[np.ndarray], tuple[float, float]]] = {
    "largest": lambda s: (s.max(), s.max() ** 2),
    "largest-variance": lambda s: (s.max(), s.var()),
    "mean-square": lambda s: (s.mean(), s.mean() ** 2),
    "mean-variance": lambda s: (s.mean(), s.var()),
    "mean-std": lambda s: (s.mean(), s.std()),
}
DEFAULT_RULE = "largest"


def from_sizes(
    sizes: Iterable[float] | Sequence[float], rule: str = DEFAULT_RULE
) -> Regularisation:
    """Derive mu and sigma from the sizes (thousands of parameters) of sampled architectures.

    The default, ``"largest"``, takes mu = largest size and sigma = mu^2. Its factor,
    ``exp(-(theta/mu - 1)^2)``, has no unit: it is the same whether sizes are counted in thousands
    or millions, and spans 1 at the largest size to 1/e at none.

    Raises
    ------
    BadArgument
        An unknown rule, no sizes, or equal sizes where the rule needs a spread.
    """
    if rule not in RULES:
        raise BadArgument(f"got rule {rule!r}, expected one of {', '.join(RULES)}.")
    import numpy as np  # here, as the default rule is an option of commands, which start quickly

    array = np.asarray(list(sizes), dtype=float)
    if not len(array) or not np.isfinite(array).all() or (array < 0).any():
        raise BadArgument(
            f"got {len(array)} sizes, expected at least one, all finite and not negative "
            "(thousands of parameters)."
        )
    mu, sigma = (float(x) for x in RULES[rule](array))
    if sigma <= 0:
        raise BadArgument(
            f"rule {rule!r} gave sigma={sigma:g} from {len(array)} sizes between {array.min():g} "
            f"and {array.max():g}, expected sigma > 0. Sample more architectures, or give mu and "
            "sigma."
        )
    return Regularisation(mu, sigma, rule)
