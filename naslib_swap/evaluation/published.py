"""Scores that a source already stores, compared with ours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from naslib_swap.evaluation.statistics import spearman
from naslib_swap.ground_truth import GroundTruth
from naslib_swap.scoring.study import COLUMNS as SCORE_COLUMNS
from naslib_swap.scoring.study import Study

COLUMNS = ("proxy", "stored_n", "computed_spearman", "stored_spearman", "difference", "agreement")


def stored_scores(study: Study, truth: GroundTruth) -> pd.DataFrame:
    """Return stored scores of a study's architectures by proxies that it does not compute itself.

    Rows are like those of :func:`naslib_swap.scoring.study.gather`, under one seed; a value is
    missing where the source has none.
    """
    nan = np.nan
    rows = [
        (study.space, study.task, proxy, arch, 0, values.get(arch, nan), nan, nan, None, None)
        for proxy, values in truth.proxies.items()
        if proxy not in study.proxies and any(arch in values for arch in study.subjects)
        for arch in study.subjects
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def beside_stored(
    scores: pd.DataFrame, truth: GroundTruth, directions: Mapping[str, bool]
) -> pd.DataFrame:
    """Compare computed with stored scores, on the architectures that have both.

    Returns
    -------
    DataFrame
        One row per proxy: how many architectures; Spearman's correlation with the accuracies,
        computed (mean over seeds) and stored; their difference; and the ``agreement``, Spearman's
        correlation between stored scores and our mean over seeds.
    """
    rows = []
    for proxy, stored in truth.proxies.items():
        ours = scores[(scores["proxy"] == proxy) & scores["value"].notna()]
        ours = ours[ours["arch"].isin(stored) & ours["arch"].isin(truth.accuracy)]
        if ours["arch"].nunique() < 3:
            continue
        sign = 1.0 if directions.get(proxy, True) else -1.0
        wide = sign * ours.pivot(index="arch", columns="seed", values="value")
        theirs = sign * np.array([stored[arch] for arch in wide.index])
        accuracy = np.array([truth.accuracy[arch] for arch in wide.index])
        per_seed = [_spearman(wide[seed].to_numpy(), accuracy) for seed in wide.columns]
        computed = float(np.mean(per_seed))
        published = spearman(theirs, accuracy)
        agreement = spearman(wide.mean(axis=1).to_numpy(), theirs)
        rows.append((proxy, len(wide), computed, published, computed - published, agreement))
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(
        ["stored_spearman", "proxy"], ascending=[False, True], ignore_index=True
    )


def _spearman(values: np.ndarray, accuracy: np.ndarray) -> float:
    present = np.isfinite(values)
    return spearman(values[present], accuracy[present])
