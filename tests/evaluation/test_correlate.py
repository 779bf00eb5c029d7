from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from naslib_swap.errors import SwapError
from naslib_swap.evaluation.correlate import correlate

ARCHS = [f"a{n:02}" for n in range(30)]
RNG = np.random.default_rng(11)
ACCURACY = dict(zip(ARCHS, 90 + 3 * RNG.random(30)))


def _scores(**proxies: object) -> pd.DataFrame:
    """One row a score; each proxy gives its values, or a list of them for several seeds."""
    rows = []
    for proxy, given in proxies.items():
        for seed, values in enumerate(given if isinstance(given, list) else [given]):
            for arch, value in zip(ARCHS, np.asarray(values, dtype=float)):
                rows.append(("s", "t", proxy, arch, seed, value, np.nan, 0.25))
    columns = ["space", "task", "proxy", "arch", "seed", "value", "saturation", "seconds"]
    return pd.DataFrame(rows, columns=columns)


def _row(table: pd.DataFrame, proxy: str) -> pd.Series:
    return table.set_index("proxy").loc[proxy]


TRUTH = np.array(list(ACCURACY.values()))
NOISY = TRUTH + RNG.normal(size=30)


def test_the_first_columns_are_those_promised():
    table = correlate(_scores(swap=NOISY), ACCURACY, {})
    assert list(table.columns)[:11] == [
        "proxy", "space", "task", "n", "seeds", "spearman", "ci_low", "ci_high", "kendall",
        "seconds_per_arch", "saturated_fraction",
    ]  # fmt: skip


def test_a_perfect_proxy():
    row = _row(correlate(_scores(best=TRUTH, other=NOISY), ACCURACY, {}, k=5), "best")
    assert (row["n"], row["seeds"], row["k"], row["failed"]) == (30, 1, 5, 0)
    assert row["spearman"] == row["kendall"] == row["ci_low"] == pytest.approx(1)
    assert row["ndcg"] == pytest.approx(1)
    assert row["regret"] == 0
    assert row["seconds_per_arch"] == 0.25
    assert np.isnan(row["saturated_fraction"])
    assert np.isnan(row["spearman_std"])


def test_the_best_stands_first_and_directions_count():
    table = correlate(_scores(b=NOISY, a=-TRUTH), ACCURACY, {"a": False, "b": True})
    assert list(table["proxy"]) == ["a", "b"]
    assert _row(table, "a")["spearman"] == pytest.approx(1)
    assert _row(table, "b")["spearman"] == pytest.approx(stats.spearmanr(NOISY, TRUTH)[0])
    assert _row(correlate(_scores(a=-TRUTH), ACCURACY, {}), "a")["spearman"] == pytest.approx(-1)


def test_several_seeds_are_averaged():
    seeds = [TRUTH + RNG.normal(size=30) for _ in range(4)]
    row = _row(correlate(_scores(p=seeds), ACCURACY, {}), "p")
    rhos = [stats.spearmanr(s, TRUTH)[0] for s in seeds]
    taus = [stats.kendalltau(s, TRUTH)[0] for s in seeds]
    assert row["seeds"] == 4
    assert row["spearman"] == pytest.approx(np.mean(rhos))
    assert row["spearman_std"] == pytest.approx(np.std(rhos, ddof=1))
    assert row["kendall"] == pytest.approx(np.mean(taus))
    assert row["kendall_std"] == pytest.approx(np.std(taus, ddof=1))
    assert row["ci_low"] < row["spearman"] < row["ci_high"]
    assert row["kendall_low"] < row["kendall"] < row["kendall_high"]


def test_a_mean_over_seeds_is_known_better_than_one_seed_is():
    seeds = [TRUTH + RNG.normal(size=30) for _ in range(8)]
    widths = [
        (lambda r: r["ci_high"] - r["ci_low"])(_row(correlate(_scores(p=s), ACCURACY, {}), "p"))
        for s in (seeds[:1], seeds)
    ]
    assert widths[1] < widths[0]


def test_params_flops_and_depth_are_held_fixed_where_they_were_scored():
    size, depth = TRUTH + RNG.normal(size=30), np.repeat([1.0, 2.0, 3.0], 10)
    table = correlate(_scores(p=NOISY, params=size, flops=size**3, depth=depth), ACCURACY, {})
    row = _row(table, "p")
    xy, xz, yz = (
        stats.spearmanr(*pair)[0] for pair in ((NOISY, TRUTH), (NOISY, size), (TRUTH, size))
    )
    partial = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert row["spearman_given_params"] == pytest.approx(partial)
    assert row["spearman_given_flops"] == pytest.approx(partial)
    inside = [stats.spearmanr(NOISY[i : i + 10], TRUTH[i : i + 10])[0] for i in (0, 10, 20)]
    assert row["spearman_within_depth"] == pytest.approx(np.mean(inside))
    assert np.isnan(_row(table, "params")["spearman_given_params"])
    assert np.isnan(_row(correlate(_scores(p=NOISY), ACCURACY, {}), "p")["spearman_given_params"])


def test_failures_are_left_out_and_counted():
    some = NOISY.copy()
    some[[2, 5, 7]] = np.nan
    row = _row(correlate(_scores(p=some), ACCURACY, {}), "p")
    present = np.isfinite(some)
    assert (row["n"], row["failed"]) == (27, 3)
    assert row["spearman"] == pytest.approx(stats.spearmanr(some[present], TRUTH[present])[0])


def test_proxies_that_failed_are_compared_on_the_architectures_that_all_scored():
    # The last ten are told from the others by anything; one proxy fails on most of them.
    easy = {a: 10.0 + 0.01 * n if n >= 20 else ACCURACY[a] for n, a in enumerate(ARCHS)}
    truth = np.array(list(easy.values()))
    lucky = np.concatenate([RNG.normal(size=20), np.full(10, -9.0)])
    failing = [truth + RNG.normal(size=30) for _ in range(2)]
    failing[0][24:] = np.nan
    failing[1][[3, 25]] = np.nan
    table = correlate(_scores(lucky=lucky, failing=failing, broken=np.full(30, np.nan)), easy, {})
    common = [n for n in range(24) if n != 3]
    rows = {name: _row(table, name) for name in ("lucky", "failing", "broken")}
    assert {rows["lucky"]["n_common"], rows["failing"]["n_common"]} == {23}
    assert rows["lucky"]["n"] == 30
    expected = stats.spearmanr(lucky[common], truth[common])[0]
    assert rows["lucky"]["spearman_common"] == pytest.approx(expected)
    assert rows["lucky"]["spearman"] > expected + 0.1
    assert rows["failing"]["spearman_common"] == pytest.approx(
        np.mean([stats.spearmanr(s[common], truth[common])[0] for s in failing])
    )
    assert rows["broken"]["n_common"] == 0
    assert np.isnan(rows["broken"]["spearman_common"])


def test_only_computed_proxies_decide_what_is_common():
    stored = NOISY.copy()
    stored[:4] = np.nan
    scores = _scores(mine=NOISY, stored=stored)
    table = correlate(scores, ACCURACY, {}, computed=["mine"])
    assert (_row(table, "mine")["n_common"], _row(table, "stored")["n_common"]) == (30, 26)
    assert _row(correlate(scores, ACCURACY, {}), "mine")["n_common"] == 26


def test_a_proxy_that_always_failed_or_is_constant_has_a_row_without_numbers():
    table = correlate(
        _scores(good=NOISY, failed=np.full(30, np.nan), constant=np.ones(30)), ACCURACY, {}
    )
    assert list(table["proxy"]) == ["good", "constant", "failed"]
    failed, constant = _row(table, "failed"), _row(table, "constant")
    assert (failed["n"], failed["failed"], constant["n"], constant["failed"]) == (0, 30, 30, 0)
    assert failed[["spearman", "kendall", "ci_low", "regret"]].isna().all()
    assert constant[["spearman", "kendall", "ci_low"]].isna().all()
    assert constant["regret"] > 0  # chance decides among equals: some accuracy is lost


def test_regret_counts_the_best_architecture_also_where_it_has_no_score():
    scores, ordered = TRUTH.copy(), np.sort(TRUTH)
    scores[TRUTH.argmax()] = np.nan
    table = correlate(_scores(p=scores, other=NOISY), {**ACCURACY, "not asked for": 99.0}, {}, k=3)
    assert _row(table, "p")["regret"] == pytest.approx(ordered[-1] - ordered[-2])


def test_saturation_is_the_share_at_the_bound():
    scores = _scores(swap=NOISY)
    scores["saturation"] = [1.0] * 6 + [0.9] * 24
    assert _row(correlate(scores, ACCURACY, {}), "swap")["saturated_fraction"] == 0.2


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_architectures_are_refused(count):
    scores = _scores(p=NOISY)
    known = dict(list(ACCURACY.items())[:count])
    with pytest.raises(SwapError, match=rf"got {count} architectures with both.*at least 3"):
        correlate(scores, known, {})


def test_equal_accuracies_are_refused():
    with pytest.raises(SwapError, match=r"30 architectures that all have the accuracy 90"):
        correlate(_scores(p=NOISY), dict.fromkeys(ARCHS, 90.0), {})


def test_k_is_at_most_the_number_of_architectures():
    row = _row(correlate(_scores(p=NOISY), ACCURACY, {}, k=1000), "p")
    assert (row["k"], row["regret"]) == (30, 0)


def test_rows_are_behind_the_best_on_the_same_resamples():
    table = correlate(_scores(best=TRUTH, other=NOISY, same=2 * NOISY), ACCURACY, {})
    best, other, same = (_row(table, name) for name in ("best", "other", "same"))
    assert np.isnan([best["behind_low"], best["behind_high"]]).all()
    assert [other["behind_low"], other["behind_high"]] == pytest.approx(
        [1 - other["ci_high"], 1 - other["ci_low"]]
    )
    assert other["behind_low"] == same["behind_low"]
