"""Running an evolution within a budget, keeping its history on disk.

`history.jsonl` holds one line per architecture tried, in order; `checkpoint.json` the whole state.
A search that was killed at any moment and resumed leaves the same `history.jsonl`, byte for byte,
as one that ran undisturbed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Callable

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.files import write_text
from naslib_swap.lock import held
from naslib_swap.optimizers import checkpoint
from naslib_swap.optimizers.evolution import Evolution, EvolutionState, Tried, plain

HISTORY = "history.jsonl"
CHECKPOINT = "checkpoint.json"
LOCK = ".search.lock"

_SECONDS_BETWEEN_CHECKPOINTS = 5.0
# A long history takes long to write: at most this share of the time goes into checkpoints.
_SHARE_OF_CHECKPOINTS = 0.02


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes
    ----------
    reason
        "cycles", "time" or "exhausted".
    seconds
        This run's duration, without what came before it was resumed.
    scoring
        The part of it that was spent in measuring.
    """

    reason: str
    seconds: float
    scoring: float


def alone(folder: Path) -> AbstractContextManager[None]:
    """Keep other searches out of a folder for as long as this one is in it.

    Raises
    ------
    BadFile
        On entering: another process searches there; the folder cannot be written to.
    """
    taken = (
        f"another search is writing to {folder}, expected to be alone: wait for it, or write "
        "elsewhere"
    )
    return held(folder / LOCK, taken=taken, what=f"to {folder}")


def begin(folder: Path, identity: Mapping[str, Any], *, resume: bool) -> EvolutionState | None:
    """Return the state to go on from: None for a fresh search. Nothing on disk is changed.

    Raises
    ------
    SwapError
        `folder` holds a search and `resume` is False; or it cannot be resumed from (missing,
        damaged, another search).
    """
    if resume:
        return checkpoint.load(folder / CHECKPOINT, identity)
    if (folder / CHECKPOINT).exists():
        raise BadArgument(
            f"{folder} holds a search already: resume it (--resume), or write elsewhere."
        )
    return None


def run(
    evolution: Evolution,
    *,
    cycles: int,
    seconds: float | None = None,
    folder: Path | None = None,
    identity: Mapping[str, Any] | None = None,
    progress: Callable[[Evolution], None] | None = None,
) -> Ending:
    """Advance until `cycles` cycles are done, `seconds` have passed or the space is used up.

    The clock is checked between steps, so that a run ends with a complete step. On an exception or
    an interrupt, what was reached is saved before it is raised again.

    Parameters
    ----------
    evolution
        Fresh, or made with a state from `begin`.
    cycles
        In all, also those before a resume.
    seconds
        Limit of this run.
    folder
        Where history and checkpoint go; None keeps nothing.
    identity
        Plain data saying which search this is, for the checkpoint.
    progress
        Called after each step.

    Raises
    ------
    BadArgument
        Cycles below 0, or a limit that is not positive.
    BadFile
        A folder that cannot be written.
    """
    if cycles < 0:
        raise BadArgument(f"got cycles {cycles}, expected 0 or more.")
    if seconds is not None and not seconds > 0:
        raise BadArgument(f"got time limit {seconds}, expected a positive number of seconds.")
    start, waited = time.perf_counter(), evolution.seconds
    with _Trail(folder, evolution, identity or {}) as trail:
        while True:
            if evolution.filled and evolution.state.cycle >= cycles:
                reason = "cycles"
            elif evolution.state.exhausted:
                reason = "exhausted"
            elif seconds is not None and time.perf_counter() - start >= seconds:
                reason = "time"
            else:
                trail.add(evolution.step())
                if progress is not None:
                    progress(evolution)
                continue
            break
    return Ending(reason, time.perf_counter() - start, evolution.seconds - waited)


class _Trail:
    """The files of a running search; saves the state when it is left, however it is left."""

    def __init__(
        self, folder: Path | None, evolution: Evolution, identity: Mapping[str, Any]
    ) -> None:
        self.folder = folder
        self.evolution = evolution
        self.identity = identity
        self.file: FileIO | None = None
        self.due = 0.0

    def __enter__(self) -> _Trail:
        if self.folder is not None:
            # Lines written after the last checkpoint of a killed search go; they will come again.
            path = self.folder / HISTORY
            tried = self.evolution.state.tried()
            write_text(path, "".join(map(_line, tried)))
            try:
                # Unbuffered: nothing is left over that closing would have to write.
                self.file = FileIO(path, "a")
            except OSError as error:
                raise _unwritable(path, error) from error
            self._save()
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()
            self._save()

    def add(self, tried: list[Tried]) -> None:
        if self.file is not None:
            data = "".join(map(_line, tried)).encode()
            try:
                while data:
                    data = data[self.file.write(data) :]
            except OSError as error:
                self._save()  # where even that fails, its error says what to do
                raise _unwritable(Path(str(self.file.name)), error) from error
            if time.perf_counter() >= self.due:
                self._save()

    def _save(self) -> None:
        assert self.folder is not None
        if not self.evolution.state.history:
            return  # nothing to go on from: the folder stays free for a corrected command
        start = time.perf_counter()
        checkpoint.save(self.folder / CHECKPOINT, self.evolution.state, self.identity)
        end = time.perf_counter()
        pause = max(_SECONDS_BETWEEN_CHECKPOINTS, (end - start) / _SHARE_OF_CHECKPOINTS)
        self.due = end + pause


def _unwritable(path: Path, error: OSError) -> BadFile:
    saved = (path.parent / CHECKPOINT).exists()
    again = "go on with --resume" if saved else "run the same command again"
    return BadFile(f"cannot write {path}: {error.strerror or error}. Make room and {again}.")


def _line(one: Tried) -> str:
    return json.dumps(plain(one)) + "\n"
