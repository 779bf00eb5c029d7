"""Counting is exact: against sets of tuples and numpy.unique, for any S, signs, dtype, layout.

Each test of a count runs with the compiled kernel, where it was built, with numpy, and on the CPU
with torch, which counts on GPUs.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import partial
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from naslib_swap import device_keys, pattern_keys, patterns
from naslib_swap.device_keys import DeviceKeys
from naslib_swap.errors import SwapError
from naslib_swap.patterns import PatternCounter, kernel

BUILT = patterns._load("")[0] is not None
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


@pytest.fixture(
    autouse=True,
    scope="module",
    params=[
        "numpy",
        "torch",
        pytest.param("compiled", marks=pytest.mark.skipif(not BUILT, reason="no compiled kernel")),
    ],
)
def chosen(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "torch":
            on_the_cpu = partial(DeviceKeys, device=torch.device("cpu"))
            patch.setattr(patterns, "StagedKeys", on_the_cpu)
        patch.setenv("NASLIB_SWAP_KERNEL", request.param.replace("torch", "numpy"))
        yield request.param


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
        found.append(torch.from_numpy(columns).to(draw(st.sampled_from(DTYPES))))
        signed.append(negative)
    return found, signed


@given(layers())
@settings(max_examples=50)
def test_equals_the_textbook(case: tuple[list[torch.Tensor], list[bool]]) -> None:
    activations, signed = case
    counter = counted(activations, signed)
    assert counter.count() == textbook(activations)
    assert counter.count() <= counter.bound


@given(layers(), st.integers(8, 24), st.integers(1, 40))
@settings(max_examples=25)
def test_chunked_equals_whole(
    case: tuple[list[torch.Tensor], list[bool]], stage: int, compact: int
) -> None:
    """However small the stage and however often duplicates are removed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pattern_keys, "_STAGED_SIGNS", 32 * stage)
        patch.setattr(device_keys, "_WAITING_SIGNS", stage)
        for module in (pattern_keys, device_keys):
            patch.setattr(module, "_COMPACT_KEYS", compact)
        assert counted(*case).count() == textbook(case[0])


@given(layers(), st.integers(0, 4))
@settings(max_examples=25)
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


def test_equal_hashes_are_not_taken_for_equal_rows() -> None:
    first = np.random.default_rng(0).integers(1 << 63, size=50, dtype=np.uint64)
    # A hash is mix(mix(first) ^ second), so these seconds give every row the same.
    words = np.stack([first, pattern_keys._mix(first[:, None]) ^ np.uint64(7)], axis=1)
    assert len(np.unique(pattern_keys._mix(words))) == 1
    words = np.concatenate([words, words[:20]])
    bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little").T
    assert counted([torch.from_numpy(bits.astype(np.float32))], [False]).count() == 50


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
    assert counter.bound == 4  # 2 + 2 values


@pytest.mark.parametrize(
    ("rectified", "signed", "bound"),
    [
        (100, 0, 8),  # 2^3
        (0, 100, 27),  # 3^3
        (100, 10, 18),  # 2^3 of the one, 10 of the other
        (5, 10, 15),
        (100, 100, 27),  # together no more than there are
    ],
)
def test_bound_by_hand(rectified: int, signed: int, bound: int) -> None:
    counter = counted([torch.ones(3, rectified), torch.ones(3, signed)], [False, True])
    assert counter.bound == bound


def test_the_bound_is_reached_and_kinds_are_counted_apart() -> None:
    every = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0])] * 3).T
    negative = every[:, (every < 0).any(0)][:, :10]
    counter = counted([every.relu(), negative], [False, True])
    assert counter.count() == counter.bound == 18
    assert counter.count_by_sign() == {False: 8, True: 10}
    assert counter.values_by_sign == {False: 27, True: 10}


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
    for module in (pattern_keys, device_keys):
        monkeypatch.setattr(module, "_COMPACT_KEYS", 1000)
    monkeypatch.setattr(pattern_keys, "_STAGED_SIGNS", 64_000)
    monkeypatch.setattr(device_keys, "_WAITING_SIGNS", 40_000)
    counter = PatternCounter(40)
    layer = (torch.randn(40, 5, generator=torch.Generator().manual_seed(0)) > 0).float()
    layer[:, 0] = 0
    for _ in range(200):
        counter.add(layer.repeat(1, 200), signed=False)
    keys = counter._keys[False]
    held = keys._held if isinstance(keys, DeviceKeys) else keys._keys.held
    assert held < 1000 + 2 * 1000
    assert counter.count() == 5


@pytest.mark.parametrize("start", range(0, 400, 50))
def test_equals_numpy_unique(start: int) -> None:
    for seed in range(start, start + 50):
        compare_with_numpy_unique(seed)


DISTINCT: dict[int, tuple[int, int]] = {}
"""By seed, what numpy.unique finds, and of how many columns: it is slow, and alike for kernels."""


def compare_with_numpy_unique(seed: int) -> None:
    """Of a random size, with or without negative signs, of any layout and type."""
    rng = np.random.default_rng(seed)
    samples = int(rng.choice([2, 5, 8, 9, 16, 17, 32, 33, 40, 64, 65, 100, 128, 200, 1000, 4100]))
    signed = bool(rng.integers(2))
    shape = (samples, *rng.integers(1, 9, size=3))
    values = rng.choice([-np.inf, -1.5, -1e-40, -0.0, 0.0, 1e-40, 2.0, np.inf], size=shape)
    values = values if signed else np.maximum(values, 0)
    # float16 rounds 1e-40 to zero, so that the type comes first.
    activation = torch.from_numpy(values).to(DTYPES[seed % 4])
    layout = seed // 4 % 6
    if layout == 4:
        activation = activation[:, :, :1].expand(shape)
    if seed not in DISTINCT:
        signs = torch.sign(activation.double()).to(torch.int8).flatten(1).numpy()
        DISTINCT[seed] = len(np.unique(signs, axis=1).T), signs.shape[1]
    if layout == 1:
        activation = activation.contiguous(memory_format=torch.channels_last)
    elif layout == 2:  # samples last
        activation = activation.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2)
    elif layout == 3:  # every other one of a larger tensor
        activation = activation.repeat_interleave(2, dim=3)[..., ::2]
    elif layout == 5:  # windows, folded into the samples
        activation = activation.flatten(0, 1)
    counter = PatternCounter(samples)
    counter.add(activation, signed=signed)
    assert (counter.count(), counter.values) == DISTINCT[seed], f"seed {seed}"


@pytest.mark.parametrize("kind", [torch.int8, torch.bool, torch.uint8, torch.int32, torch.int64])
def test_integers_have_signs(kind: torch.dtype) -> None:
    values = torch.tensor([[-128, -1, 0, 1, 100], [0, 0, 1, 1, 0]]).to(kind)
    expected = len(torch.unique(torch.sign(values.int()), dim=1).T)
    assert counted([values], [True]).count() == expected


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("place", [(0, 0), (2, 3), (8, 999)])
def test_nan_of_any_type_and_place(
    kind: torch.dtype, negative: bool, place: tuple[int, int]
) -> None:
    activation = torch.zeros(9, 1000, dtype=kind)
    activation[place] = -float("nan") if negative else float("nan")
    for signed in (False, True):
        counter = PatternCounter(9)
        counter.add(activation, signed=signed, name="silu")
        with pytest.raises(SwapError, match="1 of 1 activations hold NaN, the first of them silu"):
            counter.count()


def test_denormals_have_signs_even_where_they_are_flushed_to_zero(chosen: str) -> None:
    if chosen == "torch":
        pytest.skip("torch compares as the device does, and GPUs flush nothing")
    tiny = torch.tensor([[1e-40, -1e-40, 0.0], [1.0, 1.0, 1.0]])
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor does not flush denormals")
    try:
        assert counted([tiny], [True]).count() == 3
    finally:
        torch.set_flush_denormal(False)


def test_misaligned_memory_counts_as_well() -> None:
    raw = bytearray(1) + bytearray(np.arange(-8, 8, dtype=np.float32).tobytes())
    activation = torch.frombuffer(raw, dtype=torch.float32, offset=1).reshape(2, 8)
    assert counted([activation], [True]).count() == textbook([activation.clone()])


def test_an_activation_elsewhere_is_an_error() -> None:
    with pytest.raises(SwapError, match="got an activation of relu on meta, expected cpu"):
        PatternCounter(2).add(torch.ones(2, 3, device="meta"), signed=False, name="relu")


def test_a_choice_of_kernel_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASLIB_SWAP_KERNEL", "fortran")
    with pytest.raises(SwapError, match="_KERNEL=fortran, expected compiled or numpy"):
        kernel()


def test_the_kernel_says_its_name(chosen: str) -> None:
    assert kernel() == ("compiled" if chosen == "compiled" else "numpy (NASLIB_SWAP_KERNEL=numpy)")


@pytest.fixture
def importing(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What imports the compiled module may be replaced, and nothing is remembered."""
    monkeypatch.delenv("NASLIB_SWAP_KERNEL")
    patterns._load.cache_clear()
    yield monkeypatch
    patterns._load.cache_clear()


def test_without_a_compiled_kernel(importing: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    importing.setattr(importlib, "import_module", nothing)
    assert kernel() == "numpy (no compiled kernel was built)"
    assert counted([torch.eye(3)], [False]).count() == 3
    importing.setenv("NASLIB_SWAP_KERNEL", "compiled")
    with pytest.raises(SwapError, match="=compiled, but no compiled kernel was built"):
        kernel()


def test_a_compiled_kernel_that_does_not_load(
    importing: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")

    def load(name: str) -> Any:
        loader = ExtensionFileLoader(name, str(broken))
        return loader.create_module(ModuleSpec(name, loader, origin=str(broken)))

    importing.setattr(importlib, "import_module", load)
    assert kernel().startswith("numpy (the compiled kernel does not load: ")
    assert counted([torch.eye(3)], [False]).count() == 3
