from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from naslib_swap.combinations import Combination
from naslib_swap.evaluation.cohorts import with_combinations
from naslib_swap.evaluation.correlate import correlate
from naslib_swap.evaluation.statistics import bootstrap_of

ARCHS = [f"a{n:02}" for n in range(24)]
RNG = np.random.default_rng(5)
ACCURACY = dict(zip(ARCHS, 90 + RNG.random(24)))
TRUTH = np.array(list(ACCURACY.values()))
PAIR = Combination("pair", "Pair", ("swap", "params"))


def scores(**proxies: object) -> pd.DataFrame:
    rows = [
        ("s", "t", proxy, arch, 0, value, np.nan, 0.25, None, None)
        for proxy, values in proxies.items()
        for arch, value in zip(ARCHS, values)
    ]
    return pd.DataFrame(
        rows,
        columns=[
            "space", "task", "proxy", "arch", "seed", "value", "saturation", "seconds", "error",
            "trace",
        ],
    )  # fmt: skip


NOISY, OTHER = (TRUTH + 0.3 * RNG.normal(size=24) for _ in range(2))


def test_a_combination_has_a_row_of_its_own():
    whole, made, remarks = with_combinations(
        scores(swap=NOISY, params=OTHER), [PAIR], ACCURACY.keys()
    )
    assert (made, remarks) == ([PAIR], [])
    row = correlate(whole, ACCURACY, {}, combinations=made).set_index("proxy").loc["pair"]
    ranks = [stats.rankdata(values) for values in (NOISY, OTHER)]
    expected = stats.spearmanr(np.log(ranks).sum(0).round(12), TRUTH)[0]
    assert row["spearman"] == pytest.approx(expected)
    assert row["seconds_per_arch"] == 0.5
    assert row["n"] == 24


def test_each_resample_of_its_interval_is_ranked_anew():
    whole, made, _ = with_combinations(scores(swap=NOISY, params=OTHER), [PAIR], ACCURACY.keys())
    row = correlate(whole, ACCURACY, {}, combinations=made).set_index("proxy").loc["pair"]
    found = []
    for drawn in np.random.default_rng([0, 4]).integers(24, size=(1000, 24)):
        ranks = [stats.rankdata(values[drawn]) for values in (NOISY, OTHER)]
        found.append(stats.spearmanr(np.log(ranks).sum(0).round(12), TRUTH[drawn])[0])
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(np.quantile(found, [0.025, 0.975]))


def test_scores_that_do_not_depend_on_the_draw_have_the_ordinary_bootstrap():
    found = bootstrap_of(lambda drawn: NOISY[drawn], TRUTH)
    drawn = np.random.default_rng([0, 4]).integers(24, size=(1000, 24))
    assert found.kendall[7] == pytest.approx(stats.kendalltau(NOISY[drawn[7]], TRUTH[drawn[7]])[0])
    assert len(bootstrap_of(lambda drawn: NOISY[drawn], np.ones(24)).spearman) == 0


def test_a_lower_value_that_is_better_ranks_so():
    falling = Combination("f", "F", ("ntk", "params"))
    whole, _, _ = with_combinations(scores(ntk=-NOISY, params=NOISY), [falling], ACCURACY.keys())
    mine = whole[whole["proxy"] == "f"].set_index("arch")["value"]
    assert list(mine.loc[ARCHS].rank()) == list(stats.rankdata(NOISY))


def test_missing_members_are_said():
    some = NOISY.copy()
    some[:3] = np.nan
    whole, made, remarks = with_combinations(scores(swap=some, params=OTHER), [PAIR], ACCURACY)
    assert made == [PAIR]
    assert remarks == ["pair counts architectures as the worst of all: 3 without swap."]
    assert whole[whole["proxy"] == "pair"]["value"].notna().all()
    nothing = scores(swap=np.full(24, np.nan), params=OTHER)
    _, made, remarks = with_combinations(nothing, [PAIR], ACCURACY.keys())
    assert made == []
    assert remarks == ["pair has no row: swap scored nothing, and it ranks a cohort."]


def test_only_architectures_with_an_accuracy_are_the_cohort():
    known = {arch: ACCURACY[arch] for arch in ARCHS[:10]}
    whole, _, _ = with_combinations(scores(swap=NOISY, params=OTHER), [PAIR], known.keys())
    assert sorted(whole[whole["proxy"] == "pair"]["arch"]) == ARCHS[:10]
