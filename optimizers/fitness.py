"""Fitness: what was measured of an architecture, and how score and size weigh against each other.

A measurement is kept for good; a fitness is derived from it whenever it is needed. An adaptive
search therefore re-weights its living members without scoring anything again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from naslib_swap.errors import SwapError
from naslib_swap.regularisation import Regularisation


@dataclass(frozen=True)
class Scored:
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
class SizeWeighting:
    """How size enters the fitness.

    `mode` "none" ranks by the score alone; "fixed" by log score - (theta - mu)^2 / sigma with the
    mu and sigma given (arXiv 2605.07378; sigma is not squared, all in thousands of parameters);
    "adaptive" by the same with mu and sigma the mean and standard deviation of all sizes scored so
    far.
    """

    mode: str = "adaptive"
    mu: float | None = None
    sigma: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("none", "fixed", "adaptive"):
            raise SwapError(f"size weighting {self.mode!r}: expected none, fixed or adaptive")
        if self.mode == "fixed":
            if self.mu is None or self.sigma is None:
                raise SwapError("a fixed size weighting needs both mu and sigma")
            Regularisation(self.mu, self.sigma).log_factor(0)  # complain now, not cycles later
        elif self.mu is not None or self.sigma is not None:
            raise SwapError(f"mu and sigma have no meaning with size weighting {self.mode!r}")

    def after(self, sizes: Moments) -> Regularisation | None:
        """mu and sigma in force once `sizes` were scored; None where size does not count."""
        if self.mu is not None and self.sigma is not None:
            return Regularisation(self.mu, self.sigma)
        if self.mode == "adaptive":
            # As long as all sizes are alike any sigma weighs them alike.
            return Regularisation(sizes.mean, sizes.deviation or 1.0, "adaptive")
        return None

    def of(self, measured: Iterable[Scored]) -> Regularisation | None:
        """mu and sigma for a fixed set of architectures."""
        sizes = Moments()
        for one in measured:
            sizes = sizes.add(one.size)
        return self.after(sizes)


def fitness(measured: Scored, weighting: Regularisation | None) -> float:
    """The value that the search maximises, in the log domain where size counts.

    Args:
        measured: score and size of one architecture.
        weighting: mu and sigma, or None for the score itself.

    Raises:
        SwapError: the score is negative, or not a number, where a logarithm is needed.
    """
    if weighting is None:
        return measured.score
    if not measured.score >= 0:
        raise SwapError(
            f"a score of {measured.score} cannot be weighed by size: its logarithm is needed. "
            "Search by this proxy without mu, sigma and adaptive weighting"
        )
    logarithm = math.log(measured.score) if measured.score else -math.inf
    return logarithm + weighting.log_factor(measured.size)
