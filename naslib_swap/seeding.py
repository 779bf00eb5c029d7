"""Making one computation of torch repeatable, and leaving no trace of it."""

from __future__ import annotations

import hashlib
import operator
import os
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Callable

import numpy as np
import torch

from naslib_swap.errors import BadArgument

# Global generators are for one thread at a time. Reentrant: what is seeded may seed again.
_ALONE = threading.RLock()


def _forget_other_threads() -> None:
    global _ALONE
    _ALONE = threading.RLock()


if hasattr(os, "register_at_fork"):
    # A forked process has none of the threads that may have been inside.
    os.register_at_fork(after_in_child=_forget_other_threads)


def derived_seed(seed: int, *names: str) -> int:
    """Return a seed that depends on another and on these names alone, in 63 bits."""
    text = "|".join([str(seed), *names]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators of torch, numpy and Python, and restore them on leaving.

    Parameters
    ----------
    seed
        Any whole number, also numpy's.

    Raises
    ------
    BadArgument
        If the seed is no whole number, or does not fit into 64 bits.

    Notes
    -----
    Generators are global to a process, so one thread at a time is inside: others wait. Threads
    that draw from global generators without being inside disturb those that are.
    ``torch.manual_seed`` seeds the generators of all devices, so all of them are kept. Objects
    that the caller made (``torch.Generator``, ``numpy.random.default_rng``) are left alone.
    """
    whole = whole_seed(seed)
    with _ALONE, ExitStack() as stack:
        for set_state, state in _kept_states():
            stack.callback(set_state, state)
        # Where there is no device, torch.manual_seed writes down who called, for when there is one:
        # that takes longer than all else here.
        seed_torch = torch.manual_seed if _has_devices() else torch.default_generator.manual_seed
        seed_torch(whole)
        random.seed(whole)
        if np.random.get_state(legacy=False)["bit_generator"] == "MT19937":  # noqa: NPY002
            np.random.seed(whole % 2**32)  # noqa: NPY002
        yield


def whole_seed(seed: int) -> int:
    """Return a seed as an int that torch takes."""
    try:
        whole = operator.index(seed)
    except TypeError:
        whole = None
    if whole is None or not -(2**63) <= whole < 2**64:
        raise BadArgument(
            f"got seed={seed!r}, expected a whole number of at most 64 bits."
        ) from None
    return whole


def _kept_states() -> Iterator[tuple[Callable[[Any], Any], Any]]:
    """How to set each global generator, and the state that it has."""
    yield torch.set_rng_state, torch.get_rng_state()
    yield random.setstate, random.getstate()
    yield np.random.set_state, np.random.get_state(legacy=False)  # noqa: NPY002
    for name in ("cuda", "xpu"):
        backend = getattr(torch, name, None)
        if backend is not None and backend.is_available():
            yield backend.set_rng_state_all, backend.get_rng_state_all()
    if torch.backends.mps.is_available():
        yield torch.mps.set_rng_state, torch.mps.get_rng_state()


def _has_devices() -> bool:
    """Whether torch has other generators than the CPU's."""
    names = ("accelerator", "cuda", "xpu", torch._C._get_privateuse1_backend_name())
    homes = [getattr(torch, name) for name in names if hasattr(torch, name)]
    return any(home.is_available() for home in (torch.backends.mps, *homes))


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """As :func:`seeded`; and on a GPU the same kernels each time, float32 as on the CPU."""
    kernels = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    with seeded(seed), kernels:
        yield


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
