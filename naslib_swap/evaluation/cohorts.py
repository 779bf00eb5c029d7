"""Combinations in a table: scores that its architectures have together."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Callable

import numpy as np
import pandas as pd

from naslib_swap.combinations import LEAST, Combination, signed
from naslib_swap.evaluation.statistics import Resampled, Vector, bootstrap_of
from naslib_swap.quoting import legible

Resample = Callable[[Vector, int], Resampled]


class Cohort:
    """The scores of one seed by the members of a combination, and what they give together.

    Parameters
    ----------
    combination
        What is made of them.
    wide
        For each proxy, values by architecture and seed.
    archs
        The architectures of the cohort.
    seed
        One of the seeds.
    """

    def __init__(
        self,
        combination: Combination,
        wide: Mapping[str, pd.DataFrame],
        archs: pd.Index,
        seed: Hashable,
    ) -> None:
        self._combination = combination
        self._archs = archs
        self._members = np.stack(
            [
                signed(wide[member][seed].reindex(archs).to_numpy(float), member)
                for member in combination.members
            ]
        )

    def scores(self) -> pd.Series:
        """Return the combined score of each architecture."""
        return pd.Series(self._combination.of(self._members), self._archs)

    def bootstrap(self, truth: pd.Series, *, seed: int) -> Resampled:
        """Correlate with accuracies on resampled architectures, each resample a cohort anew."""
        return bootstrap_of(
            lambda drawn: self._combination.of(self._members[:, drawn]),
            truth.loc[self._archs].to_numpy(float),
            seed=seed,
        )


def wide_of(scores: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return, for each proxy, values by architecture and seed."""
    return {
        str(proxy): frame.pivot(index="arch", columns="seed", values="value")
        for proxy, frame in scores.groupby("proxy")
    }


def with_combinations(
    scores: pd.DataFrame, combinations: Sequence[Combination], archs: Collection[str]
) -> tuple[pd.DataFrame, list[Combination], list[str]]:
    """Add rows of combined scores.

    Parameters
    ----------
    scores
        Rows as `naslib_swap.scoring.study.gather` gives them, of one task.
    combinations
        What to make of them.
    archs
        The architectures that make up the cohort: those with an accuracy.

    Returns
    -------
    tuple
        The rows with those of combinations, whose ``seconds`` are the sum of their members'; the
        combinations that could be made; and, for people, which could not and what they count as
        worst.
    """
    cohort = scores[scores["arch"].isin(archs)]
    members, frames = wide_of(cohort), [scores]
    made, remarks = [], []
    for one in combinations:
        blank = [m for m in one.members if m not in members or members[m].isna().all(axis=None)]
        rows = cohort[cohort["proxy"].isin(one.members)]
        index = pd.Index(sorted(rows["arch"].unique()), name="arch")
        if blank or len(index) < LEAST:
            reason = f"{', '.join(blank)} scored nothing" if blank else f"{len(index)} scores"
            remarks.append(f"{legible(one.name)} has no row: {reason}, and it ranks a cohort.")
            continue
        made.append(one)
        worst = {m: int(members[m].reindex(index).isna().any(axis=1).sum()) for m in one.members}
        if said := ", ".join(f"{count} without {m}" for m, count in worst.items() if count):
            remarks.append(f"{legible(one.name)} counts architectures as the worst of all: {said}.")
        for seed, of_seed in rows.groupby("seed"):
            seconds = of_seed.groupby("arch")["seconds"].sum()
            combined = of_seed.drop_duplicates("arch").set_index("arch").reindex(index)
            combined = combined.assign(
                space=scores["space"].iloc[0],
                task=scores["task"].iloc[0],
                proxy=one.name,
                seed=seed,
                value=Cohort(one, members, index, seed).scores(),
                saturation=np.nan,
                seconds=seconds,
                error=None,
                trace=None,
            )
            frames.append(combined.reset_index()[list(scores.columns)])
    return pd.concat(frames, ignore_index=True), made, remarks
