"""Rules for mu and sigma, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from naslib_swap.errors import SwapError
from naslib_swap.regularisation import from_sizes, log_factor


def test_largest_by_hand() -> None:
    found = from_sizes([100.0, 400.0, 200.0])
    assert (found.mu, found.sigma, found.rule) == (400.0, 160000.0, "largest")
    assert found.of(1.0, 400.0) == 0
    assert found.of(1.0, 0.0) == -1


def test_the_default_has_no_unit() -> None:
    sizes = np.array([100.0, 400.0, 200.0])
    thousands, millions = from_sizes(sizes), from_sizes(sizes / 1000)
    assert thousands.of(2.0, 150.0) == pytest.approx(millions.of(2.0, 0.150))


def test_log_factor_by_hand() -> None:
    assert log_factor(3.0, 1.0, 2.0) == -2.0


@pytest.mark.parametrize(
    ("sizes", "rule", "message"),
    [
        ([], "largest", "got 0 sizes, expected at least one"),
        ([1.0, float("nan")], "largest", "all finite"),
        ([5.0, 5.0], "mean-std", "gave sigma=0 from 2 sizes between 5 and 5"),
        ([1.0], "median", "got rule 'median', expected one of largest"),
    ],
)
def test_bad_sizes(sizes: list[float], rule: str, message: str) -> None:
    with pytest.raises(SwapError, match=message):
        from_sizes(sizes, rule)
