"""How well stored scores rank architectures: the statistics of a table of proxies."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from naslib_swap.errors import SwapError

_BOOTSTRAPS = 1000


@dataclass(frozen=True)
class Correlation:
    """One proxy on one task. Correlations are positive where the proxy ranks as its users expect.

    ``spearman`` and ``kendall`` (tau-b) are means over seeds, ``spearman_std`` the standard
    deviation over them. ``ci_low`` and ``ci_high`` bound a 95 % interval: percentiles of a
    bootstrap over architectures. ``spearman_given_params`` and ``spearman_given_flops`` are partial
    correlations; ``spearman_within_depth`` is the mean over depths, weighted by how many
    architectures each has. ``ndcg`` and ``regret`` are at the top ``k``: the regret is the accuracy
    lost by training the proxy's k best instead of all. NaN where a statistic is not defined
    (constant scores, say).
    """

    proxy: str
    space: str
    task: str
    n: int
    seeds: int
    spearman: float
    ci_low: float
    ci_high: float
    kendall: float
    seconds_per_arch: float
    saturated_fraction: float
    spearman_std: float
    spearman_given_params: float
    spearman_given_flops: float
    spearman_within_depth: float
    k: int
    ndcg: float
    regret: float
    failed: int


def correlate(
    scores: pd.DataFrame,
    accuracy: Mapping[str, float],
    directions: Mapping[str, bool],
    *,
    k: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare the scores of one task with its accuracies; one row a proxy, best first.

    Parameters
    ----------
    scores
        Columns ``space, task, proxy, arch, seed, value, saturation, seconds`` (of one space and
        task); ``value`` is missing where scoring failed.
    accuracy
        Accuracy of each architecture; higher is better.
    directions
        Whether a higher value of a proxy is meant to be better.
    k
        How many of a proxy's best are trained, for ndcg and regret.

    Raises
    ------
    SwapError
        Fewer than three architectures that have both scores and an accuracy.
    """
    known = scores[scores["arch"].isin(accuracy.keys())]
    if known["arch"].nunique() < 3:
        raise SwapError(
            f"got {known['arch'].nunique()} architectures with both a score and an accuracy, "
            "expected at least 3: a correlation needs them."
        )
    wide = {
        proxy: frame.pivot(index="arch", columns="seed", values="value")
        for proxy, frame in known.groupby("proxy")
    }
    context = {
        name: wide[name].mean(axis=1) for name in ("params", "flops", "depth") if name in wide
    }
    rows = []
    for proxy, values in wide.items():
        frame = known[known["proxy"] == proxy]
        sign = 1.0 if directions.get(str(proxy), True) else -1.0
        rows.append(
            _correlation(str(proxy), frame, sign * values, accuracy, context, k=k, seed=seed)
        )
    table = pd.DataFrame([asdict(row) for row in rows])
    return table.sort_values(["spearman", "proxy"], ascending=[False, True], ignore_index=True)


def _correlation(
    proxy: str,
    frame: pd.DataFrame,
    values: pd.DataFrame,
    accuracy: Mapping[str, float],
    context: Mapping[str, pd.Series],
    *,
    k: int,
    seed: int,
) -> Correlation:
    truth = pd.Series({arch: accuracy[arch] for arch in values.index}, dtype=float)
    per_seed = [_Ranked.of(values[column], truth, context) for column in values.columns]
    intervals = [ranked.interval(seed) for ranked in per_seed]
    top = min(k, len(values))
    seeds = [ranked.statistics(top) for ranked in per_seed]
    mean = {name: _mean([s[name] for s in seeds]) for name in seeds[0]}
    spread = [s["spearman"] for s in seeds if np.isfinite(s["spearman"])]
    saturation = frame["saturation"].dropna()
    return Correlation(
        proxy=proxy,
        space=str(frame["space"].iloc[0]),
        task=str(frame["task"].iloc[0]),
        n=max(len(ranked.score) for ranked in per_seed),
        seeds=len(per_seed),
        ci_low=_mean([low for low, _ in intervals]),
        ci_high=_mean([high for _, high in intervals]),
        seconds_per_arch=float(frame["seconds"].mean()),
        saturated_fraction=float((saturation >= 1).mean()) if len(saturation) else float("nan"),
        spearman_std=float(np.std(spread, ddof=1)) if len(spread) > 1 else float("nan"),
        k=top,
        failed=int(frame["value"].isna().sum()),
        **mean,
    )


@dataclass(frozen=True)
class _Ranked:
    """The scores of one seed beside the accuracies, without the failures."""

    score: np.ndarray[Any, Any]
    truth: np.ndarray[Any, Any]
    context: Mapping[str, np.ndarray[Any, Any]]

    @classmethod
    def of(cls, values: pd.Series, truth: pd.Series, context: Mapping[str, pd.Series]) -> _Ranked:
        present = values.dropna()
        return cls(
            present.to_numpy(float),
            truth.loc[present.index].to_numpy(float),
            {name: other.reindex(present.index).to_numpy(float) for name, other in context.items()},
        )

    def statistics(self, k: int) -> dict[str, float]:
        return {
            "spearman": spearman(self.score, self.truth),
            "kendall": kendall(self.score, self.truth),
            "spearman_given_params": self._given("params"),
            "spearman_given_flops": self._given("flops"),
            "spearman_within_depth": self._within("depth"),
            "ndcg": ndcg(self.score, self.truth, k),
            "regret": regret(self.score, self.truth, k),
        }

    def interval(self, seed: int) -> tuple[float, float]:
        return bootstrap_interval(self.score, self.truth, seed=seed)

    def _given(self, name: str) -> float:
        if name not in self.context:
            return float("nan")
        return partial_spearman(self.score, self.truth, self.context[name])

    def _within(self, name: str) -> float:
        if name not in self.context:
            return float("nan")
        return within_spearman(self.score, self.truth, self.context[name])


def spearman(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float:
    """Spearman's rank correlation of two vectors; NaN where either is constant."""
    if len(x) < 3 or _constant(x) or _constant(y):
        return float("nan")
    return float(stats.spearmanr(x, y).statistic)


def kendall(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float:
    """Kendall's tau-b of two vectors; NaN where either is constant."""
    if len(x) < 3 or _constant(x) or _constant(y):
        return float("nan")
    return float(stats.kendalltau(x, y).statistic)


def partial_spearman(
    x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], z: np.ndarray[Any, Any]
) -> float:
    """Spearman's correlation of x and y with z held fixed: (rxy - rxz ryz) / norm.

    NaN where z explains x or y entirely, as it does itself.
    """
    xy, xz, yz = spearman(x, y), spearman(x, z), spearman(y, z)
    norm = (1 - xz**2) * (1 - yz**2)
    if not np.isfinite(norm) or norm < 1e-12:
        return float("nan")
    return float((xy - xz * yz) / np.sqrt(norm))


def within_spearman(
    x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], strata: np.ndarray[Any, Any]
) -> float:
    """Mean of Spearman's correlations inside each stratum of at least 5, weighted by its size."""
    found, weights = [], []
    for value in np.unique(strata[np.isfinite(strata)]):
        inside = strata == value
        if inside.sum() >= 5 and np.isfinite(r := spearman(x[inside], y[inside])):
            found.append(r)
            weights.append(int(inside.sum()))
    return float(np.average(found, weights=weights)) if found else float("nan")


def ndcg(score: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], k: int) -> float:
    """Normalised discounted cumulative gain of the k best scores, gains scaled to [0, 1]."""
    if len(score) < k or _constant(truth):
        return float("nan")
    gain = (truth - truth.min()) / (truth.max() - truth.min())
    discount = 1 / np.log2(np.arange(2, k + 2))
    chosen = gain[np.argsort(-score, kind="stable")[:k]]
    ideal = np.sort(gain)[::-1][:k]
    return float((chosen * discount).sum() / (ideal * discount).sum())


def regret(score: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], k: int) -> float:
    """Best accuracy of all, less the best of the k best scores; in the accuracy's own unit."""
    if len(score) < k:
        return float("nan")
    chosen = truth[np.argsort(-score, kind="stable")[:k]]
    return float(truth.max() - chosen.max())


def bootstrap_interval(
    x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], *, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of Spearman's correlation over resampled architectures."""
    if len(x) < 3 or _constant(x) or _constant(y):
        return float("nan"), float("nan")
    drawn = np.random.default_rng([seed, 4]).integers(len(x), size=(_BOOTSTRAPS, len(x)))
    ranks = [stats.rankdata(v[drawn], axis=1) for v in (x, y)]
    a, b = (r - r.mean(axis=1, keepdims=True) for r in ranks)
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled = (a * b).sum(axis=1) / norm
    low, high = np.nanquantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _constant(x: np.ndarray[Any, Any]) -> bool:
    return bool(np.all(x == x[0]))


def _mean(values: list[float]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all missing: NaN is the answer
        return float(np.nanmean(values))
