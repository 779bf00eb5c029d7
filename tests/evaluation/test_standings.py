"""Rankings of proxies while they are computed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from naslib_swap import Plan, compare
from naslib_swap.evaluation.standings import Standings, fisher_interval
from naslib_swap.scoring import Architecture, Conditions, Images, Study
from naslib_swap.scoring.order import quick_first
from naslib_swap.scoring.record import Key, Record, Score
from naslib_swap.scoring.study import missing

NAMES = tuple(f"({a}, 2, 3, 2, 3, {b})" for a in range(1, 4) for b in range(1, 4))
ACCURACY = dict(zip(NAMES, np.random.default_rng(0).permutation(len(NAMES)) + 80.0))


@pytest.fixture
def study() -> Study:
    subjects = {name: Architecture("nasbench201", "cifar10", name) for name in NAMES}
    proxies = ("params", "ntk", "swap")
    return Study("nasbench201", "cifar10", subjects, proxies, (0,), Conditions(Images("noise", 4)))


def record(study: Study, name: str, proxy: str, value: float | None, seed: int = 0) -> Record:
    key = Key("nasbench201", "cifar10", study.subjects[name].name, proxy, seed, "r")
    return Record(key, Score(value, 0.25), None)  # type: ignore[arg-type]


def test_rows_are_spearmans_correlation_so_far_and_best_first(study):
    standings = Standings([study], [ACCURACY], {"ntk": False})
    values = {name: ACCURACY[name] ** 2 for name in NAMES}
    standings.add(record(study, name, "ntk", -values[name]) for name in NAMES[:3])
    assert standings.now() == []  # too few
    standings.add(record(study, name, "ntk", -values[name]) for name in NAMES[3:5])
    noise = dict(zip(NAMES, np.random.default_rng(1).random(len(NAMES))))
    standings.add(record(study, name, "params", noise[name]) for name in NAMES)
    standings.add([record(study, NAMES[6], "ntk", None)])
    first, second = standings.now()
    assert (first.proxy, first.n, first.seconds) == ("ntk", 5, 0.25)
    assert first.spearman == pytest.approx(1)
    expected = stats.spearmanr([noise[n] for n in NAMES], [ACCURACY[n] for n in NAMES])[0]
    assert second.spearman == pytest.approx(expected)
    assert second.low < second.spearman < second.high


def test_architectures_without_an_accuracy_do_not_count(study):
    known = {name: ACCURACY[name] for name in NAMES[:4]}
    standings = Standings([study], [known], {})
    standings.add(record(study, name, "params", float(k)) for k, name in enumerate(NAMES))
    assert [one.n for one in standings.now()] == [4]


def test_the_interval_covers_as_often_as_it_says():
    rng, n, inside = np.random.default_rng(5), 60, 0
    rho = 6 / np.pi * np.arcsin(0.5 / 2)  # Spearman's, where Pearson's of two normals is 0.5
    for _ in range(400):
        x, y = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], n).T
        low, high = fisher_interval(float(stats.spearmanr(x, y)[0]), n)
        inside += low <= rho <= high
    assert 0.92 <= inside / 400 <= 0.98
    low, high = fisher_interval(1.0, 5)
    assert low < 0.5
    assert high > 0.99
    assert fisher_interval(-1.0, 5) == pytest.approx((-high, -low))
    assert fisher_interval(0.5, 3) == (-1.0, 1.0)


def test_quick_proxies_go_first_and_nothing_is_lost(study):
    jobs = missing(study)
    ordered = quick_first(jobs)
    assert [job.proxies for job in ordered] == [("params", "swap")] * 9 + [("ntk",)] * 9
    assert [job.subject.name for job in ordered] == 2 * [job.subject.name for job in jobs]


def test_a_proxy_that_shares_a_pass_with_gradients_waits_for_them(study):
    jobs = [job._replace(proxies=("nwot", "swap", "jacov")) for job in missing(study)]
    assert {job.proxies for job in quick_first(jobs)} == {("swap",), ("nwot", "jacov")}
    alone = [job._replace(proxies=("nwot", "swap")) for job in jobs]
    assert quick_first(alone) == alone


def test_watching_changes_no_score_and_ends_where_the_table_begins():
    plan = Plan(archs=5, samples=12, proxies=("params", "swap", "snip"), truth="analog")
    seen = []
    watched = compare(plan, watch=seen.append, timings=False)[0]
    alone = compare(plan, timings=False)[0]
    columns = ["proxy", "arch", "seed", "value"]
    assert watched.scores[columns].equals(alone.scores[columns])
    last = {one.proxy: one.spearman for one in seen[0].now()}
    table = alone.table.set_index("proxy")["spearman"]
    assert last == pytest.approx({proxy: table[proxy] for proxy in last})
    assert set(last) == {"params", "swap", "snip"}
