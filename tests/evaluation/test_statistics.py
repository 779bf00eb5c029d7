from __future__ import annotations

from inspect import signature
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import ndcg_score

from naslib_swap.evaluation import counted, statistics
from naslib_swap.evaluation.statistics import (
    bootstrap,
    kendall,
    ndcg,
    partial_spearman,
    percentiles,
    regret,
    spearman,
    within_spearman,
)

TRUTH = np.array([90.0, 91.0, 92.0, 93.0, 94.0])


def _pair(n: int = 60, ties: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    z = rng.normal(size=n)
    x, y = z + rng.normal(size=n), z + rng.normal(size=n)
    return (np.round(x), np.round(y), np.round(z)) if ties else (x, y, z)


def test_spearman_by_hand():
    # Ranks 1 2 3 5 4 against 1..5: 1 - 6 * (1 + 1) / (5 * 24).
    assert spearman(np.array([1.0, 2, 3, 9, 8]), TRUTH) == pytest.approx(0.9)


def test_kendall_by_hand():
    # One tie in x; of the 10 pairs 8 agree, 1 disagrees: 7 / sqrt(9 * 10).
    x = np.array([1.0, 1, 3, 9, 8])
    assert kendall(x, TRUTH) == pytest.approx(7 / np.sqrt(90))


@pytest.mark.parametrize("of", [spearman, kendall])
def test_constant_or_too_few_values_have_no_correlation(of):
    assert np.isnan(of(np.ones(5), TRUTH))
    assert np.isnan(of(TRUTH, np.ones(5)))
    assert np.isnan(of(TRUTH[:2], TRUTH[:2]))


@pytest.mark.parametrize("ties", [False, True])
def test_partial_spearman_is_the_correlation_of_rank_residuals(ties):
    x, y, z = _pair(ties=ties)
    rx, ry, rz = (stats.rankdata(v) for v in (x, y, z))
    design = np.stack([np.ones_like(rz), rz], axis=1)
    residuals = [r - design @ np.linalg.lstsq(design, r, rcond=None)[0] for r in (rx, ry)]
    assert partial_spearman(x, y, z) == pytest.approx(np.corrcoef(*residuals)[0, 1])


def test_nothing_is_left_of_a_proxy_given_itself():
    x, y, _ = _pair()
    assert np.isnan(partial_spearman(x, y, x))
    assert np.isnan(partial_spearman(x, y, np.exp(x)))
    assert np.isnan(partial_spearman(x, y, np.full_like(x, np.nan)))


def test_partial_spearman_leaves_out_what_has_no_context():
    x, y, z = _pair()
    z[:10] = np.nan
    assert partial_spearman(x, y, z) == partial_spearman(x[10:], y[10:], z[10:])


def test_within_strata_is_the_mean_weighted_by_size():
    x, y, _ = _pair(24)
    strata = np.array([1.0] * 5 + [2.0] * 15 + [3.0] * 4)  # the last one is too small
    parts = [stats.spearmanr(x[i], y[i])[0] for i in (slice(0, 5), slice(5, 20))]
    assert within_spearman(x, y, strata) == pytest.approx((5 * parts[0] + 15 * parts[1]) / 20)
    assert np.isnan(within_spearman(x, y, np.arange(24.0)))


@pytest.mark.parametrize("ties", [False, True])
def test_ndcg_by_definition(ties):
    x, y, _ = _pair(30, ties=ties)
    gain = (y - y.min()) / (y.max() - y.min())
    assert ndcg(x, y, 10) == pytest.approx(ndcg_score([gain], [x], k=10))
    if not ties:
        discount = 1 / np.log2(np.arange(2, 12))
        chosen, ideal = gain[np.argsort(-x)[:10]], np.sort(gain)[::-1][:10]
        assert ndcg(x, y, 10) == pytest.approx((chosen @ discount) / (ideal @ discount))


def test_ndcg_of_a_perfect_ranking_is_one_and_of_constant_accuracies_none():
    assert ndcg(TRUTH, TRUTH, 3) == pytest.approx(1)
    assert np.isnan(ndcg(TRUTH, np.ones(5), 3))
    assert np.isnan(ndcg(TRUTH, TRUTH, 6))


def test_regret_by_hand():
    score = np.array([5.0, 4, 3, 2, 1])  # the worst first
    assert regret(score, TRUTH, 1) == 4
    assert regret(score, TRUTH, 2) == 3
    assert regret(-score, TRUTH, 1) == 0
    assert np.isnan(regret(score, TRUTH, 6))


@given(
    score=st.lists(st.integers(0, 3), min_size=3, max_size=9),
    k=st.integers(1, 9),
    data=st.data(),
)
@settings(max_examples=60)
def test_regret_is_the_mean_over_all_ways_to_break_ties(score, k, data):
    truth = data.draw(
        st.lists(st.integers(0, 50), min_size=len(score), max_size=len(score)).map(np.array)
    )
    k = min(k, len(score))
    values = np.array(score)
    last = np.sort(values)[-k]
    certain = [i for i in range(len(score)) if values[i] > last]
    tied = [i for i in range(len(score)) if values[i] == last]
    best = [max(truth[[*certain, *some]].tolist()) for some in combinations(tied, k - len(certain))]
    assert regret(values.astype(float), truth.astype(float), k) == pytest.approx(
        truth.max() - np.mean(best), abs=1e-9
    )


def test_regret_of_many_ties_does_not_overflow():
    rng = np.random.default_rng(0)
    found = regret(np.zeros(15_625), rng.normal(size=15_625), 500)
    assert 0 <= found < 3


@pytest.mark.parametrize("ties", [False, True])
def test_resamples_at_once_are_those_computed_one_by_one(ties):
    x, y, _ = _pair(40, ties=ties)
    drawn = np.random.default_rng(1).integers(40, size=(25, 40))
    rho, tau = np.transpose([(spearman(x[row], y[row]), kendall(x[row], y[row])) for row in drawn])
    counts = statistics._counts(drawn)
    for found in (statistics._by_pairs(x, y, counts), counted.correlations(x, y, counts.T)):
        np.testing.assert_allclose(found[0], rho, atol=1e-12)
        np.testing.assert_allclose(found[1], tau, atol=1e-12)


def test_a_resample_of_equals_has_no_rank_correlation():
    x, y = np.array([1.0, 2.0, 2.0]), np.array([1.0, 5.0, 3.0])
    counts = np.array([[0, 2, 1], [1, 1, 1]], np.float32).T
    with np.errstate(invalid="ignore"):
        rho, tau = counted.correlations(x, y, counts)
    assert np.isnan([rho[0], tau[0]]).all()
    # Ranks 1, 2.5, 2.5 and 1, 3, 2; two pairs agree, one is tied in x.
    assert rho[1] == pytest.approx(1.5 / np.sqrt(1.5 * 2))
    assert tau[1] == pytest.approx(2 / np.sqrt(2 * 3))


@pytest.mark.parametrize("pairwise", [0, 2000])
def test_what_is_missing_is_drawn_and_left_out(pairwise, monkeypatch):
    monkeypatch.setattr(statistics, "_PAIRWISE", pairwise)
    monkeypatch.setattr(statistics, "_COUNTS_AT_ONCE", 120)  # three resamples
    x, y, _ = _pair(40)
    missing = x.copy()
    missing[[3, 20]] = np.nan
    found = bootstrap(missing, y, seed=1)
    drawn = np.random.default_rng([1, 4]).integers(40, size=(len(found.spearman), 40))[7]
    kept = drawn[~np.isin(drawn, [3, 20])]
    assert len(kept) < 40
    assert found.spearman[7] == pytest.approx(spearman(x[kept], y[kept]))
    assert found.kendall[7] == pytest.approx(kendall(x[kept], y[kept]))
    assert not len(bootstrap(np.full(40, np.nan), y).spearman)


@pytest.mark.skipif(not hasattr(stats, "bootstrap"), reason="scipy has it since 1.7")
def test_the_bootstrap_agrees_with_scipys():
    x, y, _ = _pair(80)
    low, high = percentiles(bootstrap(x, y).spearman)
    # The generator's name changed with scipy 1.15.
    generator = "rng" if "rng" in signature(stats.bootstrap).parameters else "random_state"
    theirs = stats.bootstrap(
        (x, y), lambda a, b: stats.spearmanr(a, b)[0], paired=True, vectorized=False,
        method="percentile", n_resamples=1000, **{generator: np.random.default_rng(0)},
    ).confidence_interval  # fmt: skip
    assert (low, high) == pytest.approx(tuple(theirs), abs=0.03)
    assert low < spearman(x, y) < high


def test_the_bootstrap_depends_on_its_seed_alone():
    x, y, _ = _pair(20)
    np.testing.assert_array_equal(bootstrap(x, y, seed=3), bootstrap(x, y, seed=3))
    assert not np.array_equal(bootstrap(x, y, seed=3), bootstrap(x, y, seed=4))


def test_many_architectures_are_resampled_fewer_times():
    rng = np.random.default_rng(0)
    x = rng.normal(size=2001)
    found = bootstrap(x, x + rng.normal(size=2001))
    assert found.kendall.shape == (200,)
    assert 0.4 < found.kendall.mean() < 0.6


def test_a_constant_has_no_interval():
    assert np.isnan(percentiles(bootstrap(np.ones(5), TRUTH).spearman)).all()
    # A resample of three that draws one architecture three times is constant: it does not count.
    assert np.isfinite(percentiles(bootstrap(TRUTH[:3], TRUTH[:3]).spearman)).all()
