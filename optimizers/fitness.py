"""Fitness: what was measured of an architecture, and how score and size are combined.

A measurement is kept; a fitness is derived from it whenever it is needed. An adaptive search, or
one by a combination (`ranking`), can therefore compute its members' fitness anew without scoring
anything again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from naslib_swap.errors import BadArgument
from naslib_swap.regularisation import Regularisation


@dataclass(frozen=True)
class Scored:
    """One architecture's proxy value and size.

    Attributes
    ----------
    score
        Value of the proxy; for SWAP the mean of psi over re-initialisations. None with a
        combination: an architecture alone has no such score.
    size
        Parameters of the scored network, in thousands (the papers' theta).
    values
        With a combination, the values of its members as the proxies define them; None where one
        has none.
    errors
        Why, by member.
    costs
        What the network to be trained costs (`costs`), where a search looks at it.
    """

    score: float | None
    size: float
    values: Mapping[str, float | None] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Moments:
    """Running mean and variance of a stream (Welford's update), exact to serialise and resume."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> Moments:
        """Return the moments with one more value."""
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

    Attributes
    ----------
    mode
        "none": the score alone. "fixed": log score - (theta - mu)^2 / sigma with the mu and sigma
        given. "adaptive": the same with mu and sigma the mean and standard deviation of all sizes
        scored so far.
    mu, sigma
        In thousands of parameters; for "fixed" only.
    rule
        The rule that they come from; empty where they were given.

    Raises
    ------
    BadArgument
        An unknown mode; mu and sigma missing, out of their range, or without meaning.

    References
    ----------
    arXiv 2605.07378; sigma is not squared there.
    """

    mode: str = "adaptive"
    mu: float | None = None
    sigma: float | None = None
    rule: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.mode not in ("none", "fixed", "adaptive"):
            raise BadArgument(
                f"got size weighting {self.mode!r}, expected none, fixed or adaptive."
            )
        if self.mode == "fixed":
            if self.mu is None or self.sigma is None:
                raise BadArgument(
                    f"got mu={self.mu}, sigma={self.sigma}, expected both for a fixed size "
                    "weighting (thousands of parameters)."
                )
            Regularisation(self.mu, self.sigma).of(1.0, 0.0)  # complain now, not cycles later
        elif self.mu is not None or self.sigma is not None:
            raise BadArgument(f"mu and sigma have no meaning with size weighting {self.mode!r}.")

    def after(self, sizes: Moments) -> Regularisation | None:
        """Return mu and sigma in force once `sizes` were scored; None where size does not count."""
        if self.mu is not None and self.sigma is not None:
            return Regularisation(self.mu, self.sigma, self.rule or "given")
        if self.mode == "adaptive":
            # As long as all sizes are equal, any sigma gives them the same factor.
            return Regularisation(sizes.mean, sizes.deviation or 1.0, "adaptive")
        return None

    def of(self, measured: Iterable[Scored]) -> Regularisation | None:
        """Return mu and sigma for a fixed set of architectures."""
        sizes = Moments()
        for one in measured:
            sizes = sizes.add(one.size)
        return self.after(sizes)


def fitness(measured: Scored, weighting: Regularisation | None) -> float:
    """Return the value that the search maximises, in the log domain where size counts.

    Parameters
    ----------
    measured
        Score and size of one architecture.
    weighting
        mu and sigma, or None for the score itself.

    Raises
    ------
    BadArgument
        The score is negative, or no number, where a logarithm is needed; it is of a combination.
    """
    if measured.score is None:
        raise BadArgument(
            "got the values of a combination's members, expected a score: an architecture has a "
            "combined score only among others. Take a proxy, or a search by the combination."
        )
    return measured.score if weighting is None else weighting.of(measured.score, measured.size)
