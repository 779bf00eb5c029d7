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

from naslib_swap.quoting import without_controls

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
        yield lines(description)


class Pace:
    """How far work is, how fast it goes, and how long it will take at that rate."""

    def __init__(self) -> None:
        self.done, self.total = 0, 0
        self._start = time.monotonic()

    def step(self, done: int, total: int) -> None:
        """Take how many are done."""
        self.done, self.total = done, total

    def said(self) -> str:
        """Say all of it, such as ``12/40, 2.0/s, 6 s, 14 s left``."""
        done, total, spent = self.done, self.total, time.monotonic() - self._start
        left = f", {spent / done * (total - done):.0f} s left" if 0 < done < total else ""
        rate = f", {done / spent:.1f}/s" if done and spent > 0 else ""
        passed = f", {spent:.0f} s" if done else ""
        return f"{done}/{total}{rate}{passed}{left}"


def lines(description: str, more: Callable[[], str] = lambda: "") -> Callable[[int, int], None]:
    """Return a function to be called with (done, total), which prints a line now and then.

    ``more`` is asked for what else a line should say.
    """
    pace = Pace()
    last, pause = time.monotonic(), _FIRST_PAUSE

    def show(done: int, total: int) -> None:
        nonlocal last, pause
        now = time.monotonic()
        if 0 < done < total:
            if now - last < pause:
                return
            pause = min(2 * pause, _LAST_PAUSE)
        last = now
        pace.step(done, total)
        text = without_controls(f"{description}: {pace.said()}{more()}")
        print(text, file=sys.stderr, flush=True)

    return show
