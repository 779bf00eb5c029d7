"""Statistics of two vectors: scores and accuracies. Pure functions of numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

import numpy as np
from scipy import special, stats

from naslib_swap.evaluation.counted import correlations

Vector = np.ndarray[Any, Any]

_NAN = float("nan")
_LEAST_STRATUM = 5

# Up to this many architectures all pairs are held in memory: 16 MB per matrix.
_PAIRWISE = 2000
_RESAMPLES = 1000
_RESAMPLES_OF_MANY = 200
_FEWEST = 3
_COUNTS_AT_ONCE = 2_000_000  # of these: 8 MB


def spearman(x: Vector, y: Vector) -> float:
    """Return Spearman's rank correlation of two vectors; NaN where either is constant."""
    if not _ranked(x, y):
        return _NAN
    return float(stats.spearmanr(x, y)[0])


def kendall(x: Vector, y: Vector) -> float:
    """Return Kendall's tau-b of two vectors; NaN where either is constant."""
    if not _ranked(x, y):
        return _NAN
    return float(stats.kendalltau(x, y)[0])


def partial_spearman(x: Vector, y: Vector, z: Vector) -> float:
    """Return Spearman's correlation of x and y with z held fixed: (rxy - rxz ryz) / norm.

    The norm is sqrt((1 - rxz^2)(1 - ryz^2)). Where z is missing, x and y are left out. NaN where z
    ranks exactly as x or y does.
    """
    known = np.isfinite(z)
    x, y, z = x[known], y[known], z[known]
    xy, xz, yz = spearman(x, y), spearman(x, z), spearman(y, z)
    norm = (1 - xz**2) * (1 - yz**2)
    if not np.isfinite(norm) or norm < 1e-12:
        return _NAN
    return float((xy - xz * yz) / np.sqrt(norm))


def within_spearman(x: Vector, y: Vector, strata: Vector) -> float:
    """Return the mean of Spearman's correlations inside strata of 5 or more, weighted by size."""
    found, weights = [], []
    for value in np.unique(strata[np.isfinite(strata)]):
        inside = strata == value
        if inside.sum() >= _LEAST_STRATUM and np.isfinite(r := spearman(x[inside], y[inside])):
            found.append(r)
            weights.append(int(inside.sum()))
    return float(np.average(found, weights=weights)) if found else _NAN


def ndcg(score: Vector, truth: Vector, k: int) -> float:
    """Return the normalised discounted cumulative gain of the k best, gains scaled to [0, 1].

    Tied scores share their gains (McSherry and Najork 2008), as in scikit-learn's ``ndcg_score``.
    """
    if len(score) < max(k, 2) or _constant(truth):
        return _NAN
    gain = (truth - truth.min()) / (truth.max() - truth.min())
    _, group = np.unique(-score, return_inverse=True)  # 0 is the best
    shared = np.bincount(group, weights=gain) / np.bincount(group)
    chosen, ideal = shared[np.sort(group)[:k]], np.sort(gain)[::-1][:k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    return float((chosen @ discount) / (ideal @ discount))


def regret(score: Vector, truth: Vector, k: int, best_of_all: float | None = None) -> float:
    """Return the best accuracy of all minus the best among the k best scores, in its own unit.

    Give ``best_of_all`` where architectures without a score count too; None takes the best of
    ``truth``. Where equal scores compete for the last of the k places, chance decides: this is the
    expected regret.
    """
    if len(score) < k or k < 1:
        return _NAN
    last = np.sort(score)[-k]
    certain, tied = truth[score > last], np.sort(truth[score == last])[::-1]
    drawn = k - len(certain)
    # The best of `drawn` out of the tied is the i-th best where it is drawn and no better one is.
    none_better = _chance_of_none(np.arange(len(tied) + 1), drawn, len(tied))
    chances = none_better[:-1] - none_better[1:]
    best = np.maximum(tied, certain.max()) if len(certain) else tied
    reached = float((best * chances).sum())
    aim = float(truth.max()) if best_of_all is None else best_of_all
    return max(0.0, aim - reached)  # no -0.0 from rounding


def _chance_of_none(special_ones: Vector, drawn: int, total: int) -> Vector:
    """Return the chance that no special one is among those drawn without replacement."""
    left = total - special_ones
    possible = left >= drawn
    kept = np.where(possible, left, drawn)
    logs = (
        special.gammaln(kept + 1)
        - special.gammaln(kept - drawn + 1)
        - special.gammaln(total + 1)
        + special.gammaln(total - drawn + 1)
    )
    chances: Vector = np.where(possible, np.exp(logs), 0.0)
    return chances


class Resampled(NamedTuple):
    """Both correlations over resampled architectures, one value per resample."""

    spearman: Vector
    kendall: Vector


def bootstrap(x: Vector, y: Vector, *, seed: int = 0) -> Resampled:
    """Correlate architectures drawn with replacement, as many as there are, many times.

    An architecture without a score (x is NaN) is drawn and then left out, so that the resamples of
    one seed are the same architectures, whatever scores are missing.

    Returns
    -------
    Resampled
        1000 values of each correlation (200 above 2000 architectures); NaN where a resample is
        constant. No values where the vectors are constant.
    """
    present = ~np.isnan(x)
    if not _ranked(x[present], y[present]):
        return Resampled(np.empty(0), np.empty(0))
    n = len(x)
    parts = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for drawn in _drawn(n, seed):
            counts = _counts(drawn)[:, present]
            if n <= _PAIRWISE:
                parts.append(_by_pairs(x[present], y[present], counts))
            else:
                counts = np.ascontiguousarray(counts.T)
                parts.append(Resampled(*correlations(x[present], y[present], counts)))
    return Resampled(*(np.concatenate(values) for values in zip(*parts)))


def bootstrap_of(scores: Callable[[Vector], Vector], y: Vector, *, seed: int = 0) -> Resampled:
    """Correlate as `bootstrap` does, with scores that depend on which architectures are drawn.

    Parameters
    ----------
    scores
        Indices of architectures [resamples, n] -> their scores in each resample, [resamples, n].
    y
        Accuracies, [n].
    """
    if len(y) < _FEWEST or _constant(y):
        return Resampled(np.empty(0), np.empty(0))
    pairs = [
        (spearman(x, y[chosen]), kendall(x, y[chosen]))
        for drawn in _drawn(len(y), seed)
        for x, chosen in zip(scores(drawn), drawn)
    ]
    return Resampled(*np.array(pairs).T)


def _drawn(n: int, seed: int) -> Iterator[Vector]:
    """Draw the resamples of n architectures, some at once: indices [resamples, n]."""
    rng = np.random.default_rng([seed, 4])
    times = _RESAMPLES if n <= _PAIRWISE else _RESAMPLES_OF_MANY
    at_once = max(1, _COUNTS_AT_ONCE // n)
    for done in range(0, times, at_once):
        yield rng.integers(n, size=(min(at_once, times - done), n))


def _counts(drawn: Vector) -> Vector:
    """Count how often each architecture was drawn: indices [resamples, n] to as many counts."""
    n = drawn.shape[1]
    return np.stack([np.bincount(row, minlength=n) for row in drawn]).astype(np.float32)


def _by_pairs(x: Vector, y: Vector, w: Vector) -> Resampled:
    """Correlate all resamples at once, from the sign of the difference of every pair.

    With w [resamples, n] the number of times that each was drawn and S the signs, ranks about their
    mean are S w / 2, concordant less discordant pairs w S_x S_y w / 2, untied pairs w S^2 w / 2.
    All are sums of whole numbers below 2^24, which float32 holds exactly.
    """
    sx, sy = (np.sign(v[:, None] - v).astype(np.float32) for v in (x, y))
    rx, ry, weight = ((m).astype(np.float64) for m in (w @ sx.T, w @ sy.T, w))
    rho = (weight * rx * ry).sum(1) / np.sqrt((weight * rx**2).sum(1) * (weight * ry**2).sum(1))
    pairs, untied_x, untied_y = (
        ((w @ m).astype(np.float64) * weight).sum(1) for m in (sx * sy, sx**2, sy**2)
    )
    return Resampled(rho, pairs / np.sqrt(untied_x * untied_y))


def percentiles(values: Vector, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of resampled values; NaN where there are none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return _NAN, _NAN
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _ranked(x: Vector, y: Vector) -> bool:
    return len(x) >= _FEWEST and not _constant(x) and not _constant(y)


def _constant(x: Vector) -> bool:
    return bool(np.all(x == x[0]))
