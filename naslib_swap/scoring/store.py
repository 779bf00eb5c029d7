"""Where scores are kept: one interface, a file of lines and a database behind it.

The file belongs to one process at a time and is read as a whole: the store of a run. The database
takes any number of processes and finds single scores: the store of a machine.
"""

from __future__ import annotations

import functools
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from naslib_swap.errors import BadFile
from naslib_swap.lock import held
from naslib_swap.scoring import lines
from naslib_swap.scoring.record import Key, Record, Score

_BLOCK = 1 << 16
_WAIT = 60.0  # seconds to wait for another process's write


class Store(Protocol):
    """Scores on disk."""

    path: Path

    def append(self, records: Iterable[Record]) -> None:
        """Keep records; all of them or none."""

    def records(self) -> Iterator[Record]:
        """Yield every record that is whole, in the order of writing; others are left out."""

    def get(self, key: Key) -> Score | None:
        """Return the score of a key, or None."""


class LineStore:
    """Scores in a file, one JSON object per line, open for appending.

    Use it as a context manager: ``with LineStore(path) as store: store.append(records)``. A line
    that a kill tore in half is cut off when the file is next opened; everything before it counts.

    Parameters
    ----------
    path
        The file; its folder is made where it is missing.
    note
        Called with one sentence about lines that are left out.

    Raises
    ------
    BadFile
        On opening: the folder cannot be written, another process has the file open, or the last
        line is unfinished and not ours. On appending: the disk refuses (full, for instance); what
        was stored before stays valid.
    """

    def __init__(
        self, path: str | os.PathLike[str], note: Callable[[str], None] = lambda text: None
    ) -> None:
        self.path = Path(path)
        self._note = functools.lru_cache(maxsize=None)(note)  # the same text is said once
        self._open = ExitStack()
        self._file: Any = None

    def __enter__(self) -> LineStore:
        taken = (
            f"{self.path} is being written by another process, expected to be alone. Wait for it, "
            "or give another folder."
        )
        with ExitStack() as stack:
            lock_file = self.path.with_name(f".{self.path.name}.lock")
            stack.enter_context(held(lock_file, taken=taken, what=str(self.path)))
            try:
                self._heal()
                self._file = stack.enter_context(open(self.path, "ab", buffering=0))
            except OSError as error:
                raise BadFile(f"cannot open {self.path}: {error.strerror or error}.") from None
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file = None
        self._open.close()

    def append(self, records: Iterable[Record]) -> None:
        """Write records in one go: a kill loses all of them, or leaves one torn line."""
        data = "".join(f"{lines.write(record)}\n" for record in records).encode()
        start = os.fstat(self._file.fileno()).st_size
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError as error:
            os.ftruncate(self._file.fileno(), start)
            raise BadFile(
                f"cannot write {self.path}: {error.strerror or error}. What was stored before is "
                "safe; make room and run the same command again to go on."
            ) from None

    def records(self) -> Iterator[Record]:
        """Yield every record that is whole, in the order of writing; the note says what is not."""
        left_out: Counter[str] = Counter()
        try:
            with open(self.path, "rb") as file:
                for line in file:
                    try:
                        if line.endswith(b"\n"):
                            yield lines.read(line.decode())
                    except lines.Foreign:
                        left_out["foreign"] += 1
                    except ValueError:  # damaged, or no text
                        left_out["damaged"] += 1
        except FileNotFoundError:
            return
        if left_out["foreign"]:
            self._note(
                f"{self.path} holds {left_out['foreign']} score(s) of an earlier version of "
                "naslib-swap, which are not used and stay there."
            )
        if left_out["damaged"]:
            self._note(
                f"{self.path} holds {left_out['damaged']} damaged line(s), which are not used and "
                "stay there; what they held is scored again."
            )

    def get(self, key: Key) -> Score | None:
        """Return the last score of a key, or None; reads the whole file."""
        found = None
        for record in self.records():
            if record.key == key:
                found = record.score
        return found

    def _heal(self) -> None:
        """Cut off a last line that was not finished; BadFile where it is not one of ours."""
        if not self.path.exists():
            return
        with open(self.path, "rb+") as file:
            first = file.readline()
            if first.endswith(b"\n") and b'"proxy"' not in first:
                raise self._not_ours("begins", first)
            end = file.seek(0, os.SEEK_END)
            tail = b""
            while end > 0 and b"\n" not in tail:
                start = max(0, end - _BLOCK)
                file.seek(start)
                tail = file.read(end - start) + tail
                end = start
            start = end + tail.rfind(b"\n") + 1
            rest = tail[tail.rfind(b"\n") + 1 :]
            if rest and not rest.startswith(b"{"):
                raise self._not_ours("ends", rest)
            file.truncate(start)

    def _not_ours(self, where: str, line: bytes) -> BadFile:
        return BadFile(
            f"{self.path} {where} with {repr(line[:60].rstrip())[1:]}, expected scores as JSON "
            "objects, one per line. It was not written by naslib-swap and stays as it is: give "
            "another folder."
        )


class MemoryStore:
    """Scores in memory, for runs that leave nothing behind."""

    def __init__(self) -> None:
        self.path = Path("memory")
        self._records: list[Record] = []

    def append(self, records: Iterable[Record]) -> None:
        """Keep records."""
        self._records += records

    def records(self) -> Iterator[Record]:
        """Yield every record."""
        return iter(self._records)

    def get(self, key: Key) -> Score | None:
        """Return the last score of a key, or None."""
        return next((r.score for r in reversed(self._records) if r.key == key), None)


_TABLE = """
CREATE TABLE IF NOT EXISTS scores (
    space TEXT, task TEXT, arch TEXT, proxy TEXT, seed INTEGER, recipe TEXT, line TEXT,
    PRIMARY KEY (space, task, arch, proxy, seed, recipe)
) WITHOUT ROWID
"""

_KEY = ", ".join(Key._fields)
_PAGE = f"SELECT * FROM scores WHERE ({_KEY}) > (?, ?, ?, ?, ?, ?) ORDER BY {_KEY} LIMIT 10000"


SCORES = "scores.jsonl"
"""The file of scores in the folder of a run."""


def store_of(
    folder: Path | None, note: Callable[[str], None] = lambda text: None
) -> AbstractContextManager[LineStore | MemoryStore]:
    """Return the store of a run that writes into a folder; of one that writes nothing for None."""
    return nullcontext(MemoryStore()) if folder is None else LineStore(folder / SCORES, note)


class DatabaseStore:
    """Scores in one SQLite file, safe with any number of processes.

    A file that cannot be used is reported once, and scoring goes on without it. Damaged scores are
    reported once too, and made anew.

    Parameters
    ----------
    path
        The file; it and its folder are made where they are missing.
    note
        Called with one sentence about what is wrong.
    """

    def __init__(self, path: Path, note: Callable[[str], None] = lambda text: None) -> None:
        self.path = path
        self._note = note
        self._usable = True
        self._warned = False

    def append(self, records: Iterable[Record]) -> None:
        """Keep records, each in the place of an older one."""
        self._run(
            "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(*record.key, lines.write(record)) for record in records],
        )

    def records(self) -> Iterator[Record]:
        """Yield every record that is whole."""
        for *_, line in self._rows():
            record = self._read(line)
            if record is not None:
                yield record

    def get(self, key: Key) -> Score | None:
        """Return the score of a key, or None."""
        where = " AND ".join(f"{name}=?" for name in Key._fields)
        for (line,) in self._run(f"SELECT line FROM scores WHERE {where}", [tuple(key)]):
            record = self._read(line)
            if record is not None and record.key == key:
                return record.score
        return None

    def keep(self, wanted: Callable[[Record], bool]) -> int:
        """Remove what is damaged or not wanted, and give the room back.

        Returns
        -------
        int
            The number of scores that were removed.
        """
        others = []
        for *key, line in self._rows():
            record = self._read(line)
            if record is None or record.key != tuple(key) or not wanted(record):
                others.append(tuple(key))
        if others:
            where = " AND ".join(f"{name}=?" for name in Key._fields)
            self._run(f"DELETE FROM scores WHERE {where}", others)
            self._run("VACUUM")
        return len(others)

    def count(self) -> int:
        """Return the number of scores."""
        return sum(int(count) for (count,) in self._run("SELECT COUNT(*) FROM scores"))

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield all rows, in pages: none is long in the way of a process that writes."""
        last: tuple[Any, ...] = ("", "", "", "", 0, "")
        while found := self._run(_PAGE, [last]):
            yield from found
            last = found[-1][:-1]

    def _read(self, line: object) -> Record | None:
        try:
            return lines.read(str(line))
        except ValueError as error:
            if not self._warned:
                self._warned = True
                self._note(f"{self.path} holds damaged scores ({error}); they are made anew.")
            return None

    def _run(self, statement: str, rows: Iterable[tuple[Any, ...]] = ((),)) -> list[Any]:
        """Run one statement for each row of values, in a transaction; nothing where it fails."""
        if not self._usable:
            return []
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A connection for each statement: none is carried over a fork.
            with closing(sqlite3.connect(self.path, timeout=_WAIT)) as connection, connection:
                connection.execute(_TABLE)
                return [found for row in rows for found in connection.execute(statement, row)]
        except (OSError, sqlite3.Error) as error:
            self._usable = False
            self._note(
                f"scores are not kept: {self.path} cannot be used ({error}). Remove it, or name "
                "another folder in NASLIB_SWAP_CACHE."
            )
            return []
