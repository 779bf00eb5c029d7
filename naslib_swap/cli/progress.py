"""Progress of long work: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# Seconds between two lines of a log: few at first, so that a reader soon knows how long it takes.
_FIRST_PAUSE, _LAST_PAUSE = 2.0, 30.0


@contextmanager
def progress(description: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Yield a function to be called with (done, total)."""
    console = Console(stderr=True)
    if quiet:
        yield lambda done, total: None
    elif console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(description, total=None, rate="")
            start = time.monotonic()

            def show(done: int, total: int) -> None:
                rate = done / max(time.monotonic() - start, 1e-9)
                bar.update(task, completed=done, total=total, rate=f"{rate:.1f}/s" if done else "")

            yield show
    else:
        yield _Lines(description).show


class _Lines:
    """One line now and then, for logs."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._start = self._last = time.monotonic()
        self._pause = _FIRST_PAUSE

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        if 0 < done < total:
            if now - self._last < self._pause:
                return
            self._pause = min(2 * self._pause, _LAST_PAUSE)
        self._last = now
        spent = now - self._start
        left = f", {spent / done * (total - done):.0f} s left" if 0 < done < total else ""
        rate = f", {done / spent:.1f}/s" if done and spent > 0 else ""
        passed = f", {spent:.0f} s" if done else ""
        print(
            f"{self._description}: {done}/{total}{rate}{passed}{left}", file=sys.stderr, flush=True
        )
