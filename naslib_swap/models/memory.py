"""How much memory there is, and how much a computation took."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import torch

_PROC = Path("/proc/self")
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available(device: torch.device) -> int | None:
    """Return the bytes that a computation may still take; None where the system does not say.

    On Linux, what the kernel calls available, or what a container leaves of its limit.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [n for n in (_of_the_machine(), _of_the_container()) if n is not None]
    return min(found, default=None)


def _of_the_machine() -> int | None:
    with suppress(OSError, StopIteration, ValueError):
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        return 1024 * int(next(x for x in lines if x.startswith("MemAvailable")).split()[1])
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _of_the_container() -> int | None:
    with suppress(OSError, ValueError):
        limit = int((_CGROUP / "memory.max").read_text())  # "max" where there is none
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        cached = sum(int(stat.get(name, 0)) for name in ("active_file", "inactive_file"))
        used = int((_CGROUP / "memory.current").read_text()) - cached  # given back when needed
        return max(0, limit - used)
    return None


@dataclass
class Peak:
    """The most bytes that were taken beyond those at the start; None where it is not known."""

    taken: Optional[int] = None


@contextmanager
def peak(device: torch.device) -> Iterator[Peak]:
    """Measure the memory that the block takes at its most: on Linux, and on GPUs."""
    found = Peak()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield found
        found.taken = torch.cuda.max_memory_allocated(device) - before
        return
    start = None
    with suppress(OSError, AttributeError, TypeError):
        # What was freed and is still held would hide what is taken.
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        (_PROC / "clear_refs").write_text("5")  # the kernel's record of the most begins anew
        start = _status("VmRSS")
    yield found
    if start is not None:
        most = _status("VmHWM")
        found.taken = None if most is None else max(0, most - start)


def _status(name: str) -> int | None:
    with suppress(OSError, StopIteration, ValueError):
        lines = (_PROC / "status").read_text(encoding="ascii", errors="replace").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])
    return None
