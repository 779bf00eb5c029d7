from __future__ import annotations

import contextlib

import pytest
import torch

from naslib_swap.seeding import seeded


def test_draws_depend_on_the_seed_and_leave_no_trace():
    before = torch.random.get_rng_state()
    with seeded(3):
        first = torch.rand(4)
    with seeded(3):
        assert torch.equal(torch.rand(4), first)
    with seeded(4):
        assert not torch.equal(torch.rand(4), first)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_generators_of_all_cuda_devices_are_kept(monkeypatch):
    kept: list[list[int]] = []

    def fork_rng(devices: list[int]):
        kept.append(devices)
        return contextlib.nullcontext()

    monkeypatch.setattr(torch.random, "fork_rng", fork_rng)
    monkeypatch.setattr(torch, "manual_seed", lambda seed: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    with seeded(0):
        pass
    assert kept == [[0, 1, 2]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_generators_come_back_as_they_were():
    before = torch.cuda.get_rng_state_all()
    with seeded(3):
        torch.rand(4, device="cuda")
    assert all(map(torch.equal, torch.cuda.get_rng_state_all(), before))
