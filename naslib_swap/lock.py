"""Locks, so that only one process at a time writes to a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from naslib_swap.errors import BadFile


@contextmanager
def held(lock_file: Path, *, taken: str, what: str) -> Iterator[None]:
    """Hold a lock in a folder, which is made if it is missing.

    Parameters
    ----------
    lock_file
        The file that is locked.
    taken
        The message where another process holds it.
    what
        What cannot be written where the folder refuses, for the message.

    Raises
    ------
    BadFile
        Another process holds it, or the folder cannot be written.
    """
    lock = FileLock(lock_file)
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise BadFile(taken) from None
    except OSError as error:
        raise BadFile(
            f"cannot write {what}: {error.strerror or error}. Give a folder that you may write to."
        ) from None
    try:
        yield
    finally:
        # The lock file stays: if it were removed, two processes could lock two files of one name.
        lock.release()
