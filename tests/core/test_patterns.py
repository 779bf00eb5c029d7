"""Counting is exact: against sets of tuples, for any S, signs, dtype, chunking."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from naslib_swap import pattern_keys, patterns
from naslib_swap.errors import SwapError
from naslib_swap.patterns import PatternCounter


def textbook(activations: list[torch.Tensor]) -> int:
    """|{sign(A)_v : v}|, straight from the definition."""
    matrix = torch.cat([a.reshape(len(a), -1).double() for a in activations], dim=1)
    return len({tuple(column) for column in torch.sign(matrix).T.tolist()})


def counted(activations: list[torch.Tensor], signed: list[bool]) -> PatternCounter:
    counter = PatternCounter(len(activations[0]))
    for activation, negative in zip(activations, signed):
        counter.add(activation, signed=negative)
    return counter


@st.composite
def layers(draw: st.DrawFn) -> tuple[list[torch.Tensor], list[bool]]:
    samples = draw(st.sampled_from([2, 3, 7, 8, 9, 16, 17, 24, 31, 32, 33, 63, 64, 65, 130]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found, signed = [], []
    for _ in range(draw(st.integers(1, 4))):
        width = draw(st.integers(1, 40))
        # Few distinct columns, so that there is something to be found equal.
        pool = rng.choice([-2.0, -0.0, 0.0, 1.0, np.inf], size=(samples, draw(st.integers(1, 6))))
        columns = pool[:, rng.integers(pool.shape[1], size=width)]
        negative = draw(st.booleans())
        columns = columns if negative else np.maximum(columns, 0)
        kind = draw(st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16]))
        found.append(torch.from_numpy(columns).to(kind))
        signed.append(negative)
    return found, signed


@given(layers())
@settings(max_examples=150, deadline=None)
def test_equals_the_textbook(case: tuple[list[torch.Tensor], list[bool]]) -> None:
    activations, signed = case
    counter = counted(activations, signed)
    assert counter.count() == textbook(activations)
    assert counter.count() <= counter.bound


@given(layers(), st.integers(8, 24), st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_chunked_equals_whole(
    case: tuple[list[torch.Tensor], list[bool]], stage: int, compact: int
) -> None:
    """However small the stage and however often duplicates are removed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pattern_keys, "_STAGE_VALUES", 8 * (stage // 8))
        patch.setattr(pattern_keys, "_COMPACT_KEYS", compact)
        assert counted(*case).count() == textbook(case[0])


@given(layers(), st.integers(0, 4))
@settings(max_examples=50, deadline=None)
def test_merged_equals_whole(case: tuple[list[torch.Tensor], list[bool]], cut: int) -> None:
    activations, signed = case
    first, second = PatternCounter(len(activations[0])), PatternCounter(len(activations[0]))
    for number, (activation, negative) in enumerate(zip(activations, signed)):
        (first if number < cut else second).add(activation, signed=negative)
    counter, alone = PatternCounter(len(activations[0])), second.count()
    counter.merge(first)
    counter.merge(second)
    assert counter.count() == textbook(activations)
    assert (counter.values, counter.bound) == (
        counted(*case).values,
        counted(*case).bound,
    )
    assert second.count() == alone


def test_what_cannot_be_merged() -> None:
    counter, broken = PatternCounter(2), PatternCounter(2)
    broken.add(torch.tensor([[float("nan")], [1.0]]), signed=True, name="gelu")
    counter.merge(broken)
    with pytest.raises(SwapError, match="1 of 1 activations hold NaN, the first of them gelu"):
        counter.count()
    with pytest.raises(SwapError, match="got a counter of 3 samples, expected 2"):
        counter.merge(PatternCounter(3))


def test_equal_hashes_are_not_taken_for_equal_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern_keys, "_mix", lambda words: np.zeros(len(words), dtype=np.uint64))
    activations = [torch.sign(torch.randn(100, 50, generator=torch.Generator().manual_seed(0)))]
    activations.append(activations[0][:, :20].clone())
    assert counted(activations, [True, True]).count() == 50


def test_words_that_differ_in_their_top_bits_only_have_hashes_of_their_own() -> None:
    # Documents that share tokens give such patterns; equal hashes would be settled by a slow sort.
    top = np.arange(8, dtype=np.uint64) << np.uint64(61)
    words = np.stack([w.ravel() for w in np.meshgrid(top, ~top, top, ~top)], axis=1)
    assert len(np.unique(pattern_keys._mix(words))) == len(words) == 8**4


def test_rectified_and_signed_patterns_are_one_set() -> None:
    relu = torch.tensor([[1.0, 0.0], [0.0, 0.0]])  # patterns (1,0) and (0,0)
    gelu = torch.tensor([[1.0, -1.0], [0.0, 0.0]])  # patterns (1,0) and (-1,0)
    counter = counted([relu, gelu], [False, True])
    assert counter.count() == 3
    assert counter.values == 4
    assert counter.bound == 4  # min(4, 3^2)


def test_bound_is_two_to_the_s_after_relu() -> None:
    assert counted([torch.ones(3, 100)], [False]).bound == 8
    assert counted([torch.ones(3, 100)], [True]).bound == 27


@pytest.mark.parametrize("signed", [False, True])
def test_nan_is_an_error_and_infinity_is_not(signed: bool) -> None:
    counter = counted([torch.tensor([[float("inf"), 0.0], [0.0, 1.0]])], [signed])
    assert counter.count() == 2
    counter.add(torch.tensor([[float("nan")], [1.0]]), signed=signed, name="relu")
    with pytest.raises(SwapError, match="1 of 2 activations hold NaN, the first of them relu"):
        counter.count()


def test_one_sample_is_an_error() -> None:
    with pytest.raises(SwapError, match=r"got a minibatch of 1 sample\(s\), expected at least 2"):
        PatternCounter(1)


def test_memory_stays_bounded_by_distinct_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern_keys, "_COMPACT_KEYS", 1000)
    counter = PatternCounter(40)
    layer = (torch.randn(40, 5, generator=torch.Generator().manual_seed(0)) > 0).float()
    for _ in range(200):
        counter.add(layer.repeat(1, 200), signed=False)
    keys = counter._stages[False]._keys
    assert keys._held < 1000 + 2 * patterns._STAGE_VALUES
    assert counter.count() == 5
