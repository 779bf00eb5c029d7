"""How well stored scores rank architectures: the statistics of a table of proxies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce

import numpy as np
import pandas as pd

from naslib_swap.combinations import Combination
from naslib_swap.errors import BadArgument
from naslib_swap.evaluation import statistics
from naslib_swap.evaluation.cohorts import Cohort, wide_of
from naslib_swap.evaluation.statistics import Resampled, Vector, spearman
from naslib_swap.ground_truth.table import require_ranks

__all__ = ["Correlation", "correlate", "spearman"]


@dataclass(frozen=True)
class Correlation:
    """One proxy on one task. Correlations are positive where the proxy ranks as its users expect.

    A statistic that is not defined, for constant scores for instance, is NaN.

    Attributes
    ----------
    proxy, space, task
        What was scored, and by what.
    n, seeds
        The number of architectures with a score and an accuracy, and the number of seeds.
    spearman, kendall
        Means over seeds; Kendall's is tau-b.
    spearman_std, kendall_std
        Standard deviations over seeds.
    ci_low, ci_high
        95 % interval of ``spearman``: percentiles of a bootstrap over architectures, each resample
        averaged over the seeds.
    kendall_low, kendall_high
        The same for ``kendall``.
    behind_low, behind_high
        95 % interval of how much lower ``spearman`` is than that of the best proxy, on the same
        resamples; NaN for the best itself.
    seconds_per_arch
        What the proxy costs alone.
    saturated_fraction
        The share of scores at their upper bound.
    spearman_given_params, spearman_given_flops
        Partial correlations.
    spearman_within_depth
        The mean over depths, weighted by how many architectures each has.
    k, ndcg, regret
        Of the proxy's k best. The regret is the accuracy lost by training these instead of all,
        including those that the proxy failed to score.
    failed
        The number of missing scores.
    n_common, spearman_common
        ``spearman`` on the architectures that every computed proxy scored, and their number: use it
        to compare proxies of which some failed.
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
    kendall_low: float
    kendall_high: float
    kendall_std: float
    spearman_given_params: float
    spearman_given_flops: float
    spearman_within_depth: float
    k: int
    ndcg: float
    regret: float
    failed: int
    n_common: int
    spearman_common: float
    behind_low: float = float("nan")
    behind_high: float = float("nan")


def correlate(
    scores: pd.DataFrame,
    accuracy: Mapping[str, float],
    directions: Mapping[str, bool],
    *,
    computed: Collection[str] | None = None,
    combinations: Sequence[Combination] = (),
    k: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare the scores of one task with its accuracies: one row per proxy, best first.

    Parameters
    ----------
    scores
        Columns ``space, task, proxy, arch, seed, value, saturation, seconds`` (of one space and
        task); ``value`` is missing where scoring failed. Partial correlations hold the scores of
        ``params``, ``flops`` and ``depth`` among them fixed.
    accuracy
        Accuracy of each architecture; higher is better.
    directions
        Whether a higher value of a proxy is meant to be better; True for proxies not in it.
    computed
        The proxies whose failures decide which architectures are common to all; None for all of
        them. A proxy without any score does not count.
    combinations
        Combinations that have rows among the scores (`with_combinations`): for their intervals
        every resample is a cohort of its own.
    k
        How many of a proxy's best are trained, for ndcg and regret.

    Raises
    ------
    BadArgument
        Fewer than three architectures that have both scores and an accuracy, or accuracies that
        are all equal.
    """
    known = scores[scores["arch"].isin(accuracy.keys())]
    archs = known["arch"].unique()
    if len(archs) < 3:
        raise BadArgument(
            f"got {len(archs)} architectures with both a score and an accuracy, expected at least "
            "3: a correlation needs them."
        )
    require_ranks(archs, accuracy)
    wide = wide_of(known)
    made = {one.name: one for one in combinations}
    context: dict[str, pd.Series] = {
        name: wide[name].mean(axis=1) for name in ("params", "flops", "depth") if name in wide
    }
    highest = max(accuracy[arch] for arch in archs)
    common = _common([v for p, v in wide.items() if computed is None or p in computed])
    rows, resamples = [], {}
    for proxy, raw in wide.items():
        frame = known[known["proxy"] == proxy]
        values = raw if directions.get(proxy, True) else -raw
        truth = pd.Series({arch: accuracy[arch] for arch in values.index}, dtype=float)
        if proxy in made:
            cohorts = [Cohort(made[proxy], wide, values.index, s) for s in values]
            resampled = [cohort.bootstrap(truth, seed=seed) for cohort in cohorts]
        else:
            resampled = [
                statistics.bootstrap(values[s].to_numpy(float), truth.to_numpy(float), seed=seed)
                for s in values.columns
            ]
        resamples[proxy] = _mean(resampled, "spearman")
        rows.append(
            _correlation(proxy, frame, values, truth, resampled, context, common, best=highest, k=k)
        )
    rows.sort(key=lambda row: (-row.spearman if row.spearman == row.spearman else 2, row.proxy))
    best = rows[0].proxy
    rows = [row if row.proxy == best else _behind(row, resamples, best) for row in rows]
    return pd.DataFrame([asdict(row) for row in rows])


def _common(wide: Sequence[pd.DataFrame]) -> pd.Index | None:
    """Return architectures that all proxies scored under all seeds; None without any proxy."""
    complete = [v.index[v.notna().all(axis=1)] for v in wide if v.notna().any(axis=None)]
    return reduce(pd.Index.intersection, complete) if complete else None


def _correlation(
    proxy: str,
    frame: pd.DataFrame,
    values: pd.DataFrame,
    truth: pd.Series,
    resampled: Sequence[Resampled],
    context: Mapping[str, pd.Series],
    common: pd.Index | None,
    *,
    best: float,
    k: int,
) -> Correlation:
    per_seed = [_Ranked.of(values[column], truth, context) for column in values.columns]
    shared = values if common is None else values.loc[values.index.intersection(common)]
    on_common = [_Ranked.of(shared[column], truth, {}) for column in shared.columns]
    top = min(k, len(values))
    found = pd.DataFrame([ranked.statistics(top, best) for ranked in per_seed])
    ci_low, ci_high = statistics.percentiles(_mean(resampled, "spearman"))
    kendall_low, kendall_high = statistics.percentiles(_mean(resampled, "kendall"))
    saturation = frame["saturation"].dropna()
    return Correlation(
        proxy=proxy,
        space=str(frame["space"].iloc[0]),
        task=str(frame["task"].iloc[0]),
        n=max(len(ranked.score) for ranked in per_seed),
        seeds=len(per_seed),
        ci_low=ci_low,
        ci_high=ci_high,
        # What was taken from the package cost nothing here, and says nothing of a proxy's cost.
        seconds_per_arch=float(frame.loc[frame["seconds"] > 0, "seconds"].mean()),
        saturated_fraction=float((saturation >= 1).mean()) if len(saturation) else float("nan"),
        spearman_std=float(found["spearman"].std(ddof=1)),
        kendall_low=kendall_low,
        kendall_high=kendall_high,
        kendall_std=float(found["kendall"].std(ddof=1)),
        k=top,
        failed=int(frame["value"].isna().sum()),
        n_common=max(len(ranked.score) for ranked in on_common),
        spearman_common=float(
            np.mean([statistics.spearman(ranked.score, ranked.truth) for ranked in on_common])
        ),
        **{str(name): float(mean) for name, mean in found.mean().items()},
    )


def _mean(resampled: Sequence[Resampled], name: str) -> Vector:
    """Return the mean over seeds of each resample: all seeds have the same resamples."""
    values = [getattr(one, name) for one in resampled if len(one.spearman)]
    return np.mean(values, axis=0) if values else np.empty(0)


def _behind(row: Correlation, resamples: Mapping[str, Vector], best: str) -> Correlation:
    """Add how far a proxy is behind the best one: both have the same resamples."""
    first, this = resamples[best], resamples[row.proxy]
    if not len(first) or not len(this):
        return row
    low, high = statistics.percentiles(first - this)
    return replace(row, behind_low=low, behind_high=high)


@dataclass(frozen=True)
class _Ranked:
    """The scores of one seed beside the accuracies, without the failures."""

    score: Vector
    truth: Vector
    context: Mapping[str, Vector]

    @classmethod
    def of(cls, values: pd.Series, truth: pd.Series, context: Mapping[str, pd.Series]) -> _Ranked:
        present = values.dropna()
        return cls(
            present.to_numpy(float),
            truth.loc[present.index].to_numpy(float),
            {name: other.reindex(present.index).to_numpy(float) for name, other in context.items()},
        )

    def statistics(self, k: int, best: float) -> dict[str, float]:
        unknown = np.full(len(self.score), np.nan)
        params, flops, depth = (self.context.get(n, unknown) for n in ("params", "flops", "depth"))
        return {
            "spearman": statistics.spearman(self.score, self.truth),
            "kendall": statistics.kendall(self.score, self.truth),
            "spearman_given_params": statistics.partial_spearman(self.score, self.truth, params),
            "spearman_given_flops": statistics.partial_spearman(self.score, self.truth, flops),
            "spearman_within_depth": statistics.within_spearman(self.score, self.truth, depth),
            "ndcg": statistics.ndcg(self.score, self.truth, k),
            "regret": statistics.regret(self.score, self.truth, k, best),
        }
