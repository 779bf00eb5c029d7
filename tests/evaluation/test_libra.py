"""LIBRA: its choice by hand, and its row in a table."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from naslib_swap import Plan, compare
from naslib_swap.errors import BadArgument
from naslib_swap.evaluation import libra

N = 400


def ranked(values: np.ndarray) -> np.ndarray:
    return rankdata(values)


def test_information_gain_by_hand() -> None:
    y = np.array([1, 2, 3, 4, 5, 6, 7, 8.0])  # two in each bin
    same = y.copy()
    pairs = np.array([1, 2, 1, 2, 3, 4, 3, 4.0])  # bins 0 0 0 0 | 2 2 2 2: one bit of two
    constant = np.ones(8)
    assert libra.information_gain(y, constant, same) == pytest.approx(math.log(4))
    assert libra.information_gain(y, same, pairs) == pytest.approx(0)
    nothing_known = libra.information_gain(y, constant, constant)
    assert nothing_known == pytest.approx(0)


def test_three_are_the_best_the_least_new_and_the_one_biased_as_the_accuracy_is() -> None:
    rng = np.random.default_rng(0)
    size = rng.normal(size=N)
    truth = size + rng.normal(size=N)
    best = truth + 0.25 * rng.normal(size=N)
    twin = best + 0.01 * rng.normal(size=N)  # tells nothing that the best does not
    sized = 2 * truth + 1.0 * size + 0.5 * rng.normal(size=N)  # leans to size more than accuracy
    alike = truth + 0.28 * rng.normal(size=N)  # as close to size as accuracy is
    noise = rng.normal(size=N)
    columns = {"best": best, "twin": twin, "sized": sized, "alike": alike, "noise": noise}
    ranks = {name: ranked(values) for name, values in {**columns, "params": size}.items()}
    assert libra.three_of(ranks, ranked(truth)) == ("best", "twin", "alike")


def test_where_none_is_near_the_best_the_next_two_are_taken() -> None:
    truth = np.arange(40.0)
    ranks = {
        "best": truth,
        "params": ranked(truth % 7),
        "noise": ranked(np.random.default_rng(0).normal(size=40)),
    }
    assert set(libra.three_of(ranks, truth)) == {"best", "params", "noise"}


def test_halves_do_not_overlap_and_depend_on_the_seed_alone() -> None:
    rng = np.random.default_rng(0)
    archs = [f"a{i:03}" for i in range(50)]
    rows = [
        {"arch": arch, "proxy": name, "seed": 0, "value": rng.normal()}
        for name in ("params", "swap", "nwot", "ntk")
        for arch in archs
    ]
    accuracy = {arch: float(i) for i, arch in enumerate(archs)}
    scores = pd.DataFrame(rows)
    names = ("params", "swap", "nwot", "ntk")
    chosen = libra.choose(scores, accuracy, names)
    assert libra.choose(scores.sample(frac=1, random_state=1), accuracy, names) == chosen
    assert sorted(chosen.chosen_on + chosen.held_out) == archs
    assert len(chosen.held_out) == 25
    other = {arch: -accuracy[arch] if arch in chosen.held_out else accuracy[arch] for arch in archs}
    assert libra.choose(scores, other, names) == chosen


@pytest.mark.parametrize(
    ("proxies", "archs", "message"),
    [
        (("swap", "depth", "params"), 20, "got 20 architectures .* expected at least 40"),
        (("depth", "nsc", "flops"), 40, "depth, flops, nsc for LIBRA, expected .* with params"),
        (("depth", "params"), 40, "and three proxies with params among them"),
    ],
)
def test_too_little_to_choose_from(proxies: tuple[str, ...], archs: int, message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        compare(Plan(archs=archs, proxies=proxies, libra=True))


def test_its_row_is_marked_and_that_of_the_other_half() -> None:
    outcome = compare(Plan(archs=60, proxies=("params", "depth", "nsc"), libra=True))[0]
    row = outcome.table.iloc[-1]
    assert (row["proxy"], row["source"], row["n"]) == ("libra", "chosen with accuracies", 30)
    assert set(outcome.table["proxy"][:-1]) == {"params", "depth", "nsc"}
    assert "LIBRA is " in outcome.remarks[-1]
    assert "accuracies of 30 architectures and compared on the 30 others" in outcome.remarks[-1]
    assert "LIBRA" not in outcome.advice
