"""Generators: seeded inside, untouched outside, one thread at a time."""

from __future__ import annotations

import random
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from naslib_swap.errors import SwapError
from naslib_swap.seeding import derived_seed, repeatable, seeded


def draws() -> list[float]:
    return [float(torch.rand(())), float(np.random.rand()), random.random()]  # noqa: NPY002


def states() -> list[Any]:
    numpys = np.random.get_state(legacy=False)["state"]  # noqa: NPY002
    return [
        torch.get_rng_state().tolist(),
        numpys["key"].tolist(),
        numpys["pos"],
        random.getstate(),
    ]


@pytest.mark.parametrize("context", [seeded, repeatable])
def test_draws_depend_on_the_seed_and_leave_no_trace(context: Any) -> None:
    before = states()
    with context(3):
        first = draws()
    with context(np.int64(3)):
        assert draws() == first
    with context(4):
        assert all(a != b for a, b in zip(draws(), first))
    assert states() == before


def test_generators_come_back_where_the_inside_raises() -> None:
    before = states()
    with pytest.raises(ZeroDivisionError), seeded(0):
        draws()[0] / 0
    assert states() == before


@pytest.mark.parametrize("seed", [-1, -(2**63), 2**64 - 1, 2**32])
def test_seeds_of_64_bits_are_taken(seed: int) -> None:
    with seeded(seed):
        draws()


@pytest.mark.parametrize("seed", [2**64, 1.5, "1", None])
def test_other_seeds_are_refused(seed: Any) -> None:
    expected = r"got seed=.*, expected a whole number of at most 64 bits"
    with pytest.raises(SwapError, match=expected), seeded(seed):
        pass


def test_derived_seeds_do_not_change() -> None:
    assert derived_seed(0, "nasbench201", "(0, 2, 3, 2, 3, 1)") == 3023162140020625733
    assert derived_seed(7) == 5135535630271676732


def test_a_second_thread_waits() -> None:
    inside, order = threading.Event(), []

    def other() -> None:
        inside.wait()
        with seeded(1):
            order.append("other")

    thread = threading.Thread(target=other)
    thread.start()
    with seeded(0), seeded(1):  # the same thread may go in again
        inside.set()
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


def test_the_generators_of_all_devices_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    backend = SimpleNamespace(
        is_available=lambda: True,
        get_rng_state_all=lambda: ["state of gpu 0", "state of gpu 1"],
        set_rng_state_all=kept.append,
        manual_seed_all=lambda seed: None,
        _is_in_bad_fork=lambda: False,
    )
    monkeypatch.setattr(torch, "manual_seed", lambda seed: None)
    monkeypatch.setattr(torch, "cuda", backend)
    monkeypatch.setattr(torch, "xpu", backend)
    with seeded(0):
        assert kept == []
    assert kept == [["state of gpu 0", "state of gpu 1"]] * 2


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_generators_come_back_as_they_were() -> None:
    before = torch.cuda.get_rng_state_all()
    with seeded(3):
        torch.rand(4, device="cuda")
    assert all(map(torch.equal, torch.cuda.get_rng_state_all(), before))
