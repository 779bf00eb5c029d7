from __future__ import annotations

import pandas as pd

from naslib_swap.evaluation.advice import advice

NAN = float("nan")


def table(*rows: dict[str, object]) -> pd.DataFrame:
    usual = {
        "n": 200, "ci_low": 0.8, "ci_high": 0.9, "behind_low": 0.01, "saturated_fraction": NAN,
        "seconds_per_arch": 0.1, "source": "computed",
    }  # fmt: skip
    frame = pd.DataFrame([{**usual, **row} for row in rows])
    frame.loc[0, "behind_low"] = NAN
    return frame


def told(*rows: dict[str, object]) -> str:
    return advice(table(*rows), str.upper)


SWAP = {"proxy": "swap", "spearman": 0.85}
SIZE = {"proxy": "params", "spearman": 0.7, "seconds_per_arch": 0.0}


def test_the_best_is_ahead_of_all():
    assert told(SWAP, SIZE) == (
        "Take SWAP: Spearman 0.85 (0.80 to 0.90) on these 200 architectures, ahead of PARAMS "
        "(0.70). All other rows are behind it by more than chance."
    )


def test_a_cheaper_row_that_is_as_good_is_named():
    assert told(SWAP, {"proxy": "b", "spearman": 0.84, "behind_low": -0.1}, {**SIZE}).endswith(
        "It cannot be told from B."
    )
    assert told(
        SWAP, {"proxy": "b", "spearman": 0.84, "behind_low": -0.1, "seconds_per_arch": 0.02}
    ) == (
        "Take SWAP: Spearman 0.85 (0.80 to 0.90) on these 200 architectures. B (0.84) cannot be "
        "told from it and takes 20 ms instead of 100."
    )


def test_seconds_are_whole_milliseconds():
    slow = {**SWAP, "seconds_per_arch": 3.7006}
    cheap = {"proxy": "b", "spearman": 0.84, "behind_low": -0.1, "seconds_per_arch": 1.1178}
    assert told(slow, cheap).endswith("takes 1,118 ms instead of 3,701.")


def test_a_few_architectures_give_no_advice():
    assert told({**SWAP, "n": 19}, {**SIZE, "n": 19}) == (
        "19 architectures tell too little for advice: take at least 20."
    )


def test_what_is_no_better_than_the_size_is_said():
    assert "which cannot be told from PARAMS (0.70)." in told(SWAP, {**SIZE, "behind_low": -0.01})
    assert "the size alone, which no proxy here is ahead of." in told({**SIZE}, SWAP)


def test_saturation_is_said():
    assert told({**SWAP, "saturated_fraction": 0.4}, SIZE).endswith(
        "40% of its scores are at their upper bound: take more samples."
    )


def test_stored_rows_and_chance_are_no_advice():
    assert told({**SWAP, "source": "stored"}) == ""
    assert told({**SWAP, "ci_low": -0.1}) == ""
    assert "Take PARAMS" in told({**SWAP, "source": "stored"}, SIZE)
