"""Fitness: what was measured of an architecture, and how score and size weigh against each other.

A measurement is kept for good; a fitness is derived from it whenever it is needed. An adaptive
search therefore re-weights its living members without scoring anything again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional

from naslib_swap.errors import SwapError


@dataclass(frozen=True)
class Measurement:
    """One architecture's proxy value and size.

    Attributes:
        score: value of the proxy; for SWAP the mean of psi over re-initialisations.
        size: parameters of the scored network, in thousands (the papers' theta).
    """

    score: float
    size: float


@dataclass(frozen=True)
class Moments:
    """Running mean and variance of a stream (Welford's update), exact to serialise and resume."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> Moments:
        """The moments with one more value."""
        count = self.count + 1
        delta = value - self.mean
        mean = self.mean + delta / count
        return Moments(count, mean, self.squares + delta * (value - mean))

    @property
    def deviation(self) -> float:
        """Standard deviation of the values seen (divided by their number)."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0


@dataclass(frozen=True)
class Regularisation:
    """How size enters the fitness.

    `mode` "none" ranks by the score alone; "fixed" by log score - (theta - mu)^2 / sigma with the
    mu and sigma given (arXiv 2605.07378; sigma is not squared, all in thousands of parameters);
    "adaptive" by the same with mu and sigma the mean and standard deviation of all sizes scored so
    far. The log domain ranks as the product does and never underflows.
    """

    mode: str = "adaptive"
    mu: Optional[float] = None
    sigma: Optional[float] = None

    def __post_init__(self) -> None:
        if self.mode not in ("none", "fixed", "adaptive"):
            raise SwapError(f"regularisation {self.mode!r}: expected none, fixed or adaptive")
        if self.mode == "fixed":
            if self.mu is None or self.sigma is None:
                raise SwapError("fixed regularisation needs both mu and sigma")
            if not (math.isfinite(self.mu) and math.isfinite(self.sigma) and self.sigma > 0):
                raise SwapError(
                    f"mu={self.mu}, sigma={self.sigma}: expected a finite mu and a positive sigma, "
                    "in thousands of parameters"
                )
        elif self.mu is not None or self.sigma is not None:
            raise SwapError(f"mu and sigma have no meaning with {self.mode!r} regularisation")

    def weights(self, sizes: Moments) -> Optional[tuple[float, float]]:
        """mu and sigma in force after `sizes`; None where size does not count."""
        if self.mode == "none":
            return None
        if self.mode == "fixed":
            assert self.mu is not None and self.sigma is not None  # noqa: PT018
            return self.mu, self.sigma
        return sizes.mean, sizes.deviation


def fitness(measured: Measurement, weights: Optional[tuple[float, float]]) -> float:
    """The value that the search maximises.

    Args:
        measured: score and size of one architecture.
        weights: (mu, sigma) in thousands of parameters, or None for the score itself.

    Raises:
        SwapError: the score is negative, or not a number, where a logarithm is needed.
    """
    if weights is None:
        return measured.score
    if not measured.score >= 0:
        raise SwapError(
            f"a score of {measured.score} cannot be regularised by size: its logarithm is needed. "
            "Search by this proxy with regularisation none"
        )
    mu, sigma = weights
    distance = (measured.size - mu) ** 2
    # Where all sizes are alike, sigma is 0 and so is every distance.
    penalty = distance and (distance / sigma if sigma > 0 else math.inf)
    return (math.log(measured.score) if measured.score else -math.inf) - penalty
