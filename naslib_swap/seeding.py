"""Making one computation of torch repeatable, and leaving no trace of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def derived_seed(seed: int, *names: str) -> int:
    """Return a seed that depends on another and on these names alone, in 63 bits."""
    text = "|".join([str(seed), *names]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's generators, and restore them on leaving.

    ``torch.manual_seed`` seeds every GPU too, so all of their generators are kept.
    """
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """As `seeded`; and on a GPU the same kernels each time, with float32 as it is on the CPU."""
    kernels = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    with seeded(seed), kernels:
        yield


def copied(value: Any) -> Any:
    """Return a copy of a tensor, for a network that may work in place; anything else as it is."""
    return value.clone() if isinstance(value, torch.Tensor) else value


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread.

    Sums are then added in one order on every machine, and processes do not crowd one another.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
