"""Computations that several proxies ask for: done once, timed, and charged to each of them."""

from __future__ import annotations

import errno
import time
from typing import Any, Callable, TypeVar

import torch

T = TypeVar("T")

# Faults of the machine, not of a network: no room left, no file handles.
_OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO})


class SharedPasses:
    """Results by name, each computed when first asked for.

    A pass that failed raises the same exception again whenever it is asked for.

    Parameters
    ----------
    device
        Where passes run: the clock waits for it.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._results: dict[str, Any] = {}
        self._failures: dict[str, Exception] = {}
        self._seconds: dict[str, float] = {}
        self._uses: dict[str, frozenset[str]] = {}
        self._asked: set[str] = set()

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """Return the result of `compute`, kept as `name`; its time is charged to all who ask."""
        self._asked |= {name} | self._uses.get(name, frozenset())
        if name in self._failures:
            raise self._failures[name]
        if name not in self._results:
            self._results[name] = self._timed(name, compute)
        result: T = self._results[name]
        return result

    def measure(self, compute: Callable[[Any], T]) -> tuple[T | Exception, float]:
        """Return what `compute(self)` gives or raises, and the seconds it would take alone.

        Raises
        ------
        OSError
            Where the machine is at fault, not the network: a full disk, for instance.
        """
        self._asked = set()
        paid_before = self._paid()
        start = self._clock()
        result: T | Exception
        try:
            result = compute(self)
        except Exception as error:  # reported by the caller as the proxy's error
            result = _kept(error)
        own = self._clock() - start - (self._paid() - paid_before)
        return result, own + sum(self._seconds.get(name, 0.0) for name in self._asked)

    def release(self) -> None:
        """Drop the results of all passes, and with them the graph that they hold."""
        self._results.clear()

    def _timed(self, name: str, compute: Callable[[], T]) -> T:
        outer, self._asked = self._asked, set()
        paid_before = self._paid()
        start = self._clock()
        try:
            return compute()
        except Exception as error:
            self._failures[name] = _kept(error)
            raise
        finally:
            # Passes that this one asked for are counted under their own names.
            self._seconds[name] = self._clock() - start - (self._paid() - paid_before)
            self._uses[name] = frozenset(self._asked)
            self._asked = outer | self._asked

    def _paid(self) -> float:
        return sum(self._seconds.values())

    def _clock(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def _kept(error: Exception) -> Exception:
    """Return the error, its frames emptied: they would keep tensors alive.

    Ctrl-C inside torch's dispatch can come out as another error: it is raised as what it was.
    """
    import traceback

    if isinstance(error.__context__, KeyboardInterrupt):
        raise error.__context__
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        raise error
    traceback.clear_frames(error.__traceback__)
    return error
