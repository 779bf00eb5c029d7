"""What commands print, and how they end: Ctrl-C, termination, closed pipes, full disks, errors."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import typer

from naslib_swap.errors import BadArgument, SwapError
from naslib_swap.quoting import one_line, without_controls

if TYPE_CHECKING:
    import pandas as pd

debug = False
"""Whether errors show where in the code they came from: ``naslib-swap --debug COMMAND``."""


_LONGEST = 4000
"""Characters of an error's line."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


def say(text: str) -> None:
    """Print what is not a result, such as notes and warnings."""
    print(without_controls(text), file=sys.stderr, flush=True)


def notes(quiet: bool) -> Callable[[str], None]:
    """Return a function that prints notes; when quiet, it prints nothing."""
    return (lambda text: None) if quiet else say


def place(out: str) -> Path:
    """Return where ``--out`` says; an empty name would be the working folder."""
    if not out.strip():
        raise BadArgument(f"got --out {out!r}, expected a name; . is the working folder.")
    return Path(out)


@contextmanager
def saved(what: Callable[[], str]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end a command with a message; ``what`` tells what is saved."""
    try:
        yield
    except KeyboardInterrupt as stop:
        ended = "terminated" if isinstance(stop, Terminated) else "interrupted"
        say(f"{ended}; {what()}")
        raise typer.Exit(143 if isinstance(stop, Terminated) else 130) from None


def show_traces(scores: pd.DataFrame) -> None:
    """Show where failed scores failed, once per proxy; or say how to show it."""
    failed = scores.dropna(subset=["trace"])
    if failed.empty:
        return
    if not debug:
        say(f"{len(failed)} of them failed by an unforeseen error; `naslib-swap --debug` shows it.")
        return
    for proxy, rows in failed.groupby("proxy"):
        say(f"{proxy} on {rows['arch'].iloc[0]}:\n{rows['trace'].iloc[0]}")


def ended_by(run: Callable[[], Any]) -> int:
    """Run the command line; return the status it ends with."""
    signal.signal(signal.SIGTERM, _terminate)
    with redirect_stderr(cast(TextIO, _Notes(sys.stderr))):
        return _ended_by(run)


class _Notes:
    """Where notes go. A closed pipe or a full disk there loses the notes, and never the run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _ended_by(run: Callable[[], Any]) -> int:
    try:
        run()
        sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except SwapError as error:
        if debug:
            traceback.print_exc()
        print(f"error: {one_line(error, _LONGEST)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        return 143 if isinstance(stop, Terminated) else 130
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EDQUOT):
            raise
        # What is still to be flushed at exit has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.EPIPE:
            return 141  # as a program that SIGPIPE ends
        print(f"error: cannot write the output: {error.strerror}.", file=sys.stderr)
        return 2
    return 0


def _terminate(number: int, frame: Any) -> None:
    raise Terminated
