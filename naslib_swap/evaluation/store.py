"""An append-only file of scores that survives being killed.

One JSON object a line. A line that a kill tore in half is cut off when the file is next opened;
everything before it counts. Two processes never write the same file: the second is told so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from naslib_swap.errors import SwapError
from naslib_swap.lock import held

Record = Mapping[str, Any]

_BLOCK = 1 << 16


class ScoreStore:
    """Scores in a JSON Lines file, open for appending.

    Use it as a context manager: ``with ScoreStore(path) as store: store.append(records)``.

    Raises
    ------
    SwapError
        On opening: the folder cannot be written, another process has the file open, or the last
        line is unfinished and no JSON object. On reading: a finished line is no JSON object. On
        appending: the disk refuses (full, for instance); what was stored before stays valid.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._open = ExitStack()
        self._file: Any = None

    def __enter__(self) -> ScoreStore:
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
                raise SwapError(f"cannot open {self.path}: {error.strerror or error}.") from None
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
        """Write records, in one go, so that a kill loses all of them or none but a torn line."""
        data = "".join(
            json.dumps(dict(record), allow_nan=False, ensure_ascii=False) + "\n"
            for record in records
        ).encode()
        start = os.fstat(self._file.fileno()).st_size
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError as error:
            os.ftruncate(self._file.fileno(), start)
            raise SwapError(
                f"cannot write {self.path}: {error.strerror or error}. What was stored before is "
                "safe; make room and run the same command again to go on."
            ) from None

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield every stored record, in the order of writing."""
        yield from read_records(self.path)

    def _heal(self) -> None:
        """Cut off a last line that was not finished; SwapError where it is not one of ours."""
        if not self.path.exists():
            return
        with open(self.path, "rb+") as file:
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
                shown = repr(rest[:60])[1:]
                raise SwapError(
                    f"{self.path} ends with {shown}, expected JSON objects, one a line. It was not "
                    "written by naslib-swap and stays as it is: give another folder."
                )
            file.truncate(start)


def read_records(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Yield the records of a score file; an unfinished last line is left out.

    Raises
    ------
    SwapError
        If a finished line is not a JSON object.
    """
    if not Path(path).exists():
        return
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict):
                shown = repr(line[:60].strip())[1:]
                raise SwapError(
                    f"{path}, line {number}: expected a JSON object, got {shown}. Remove the line, "
                    "or give another folder."
                )
            yield record
