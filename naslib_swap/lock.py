"""Keeping other processes out of what one of them writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from naslib_swap.errors import SwapError


@contextmanager
def held(lock_file: Path, *, taken: str, what: str) -> Iterator[None]:
    """Hold a lock in a folder, which is made where it is missing.

    Raises
    ------
    SwapError
        Another process holds it (``taken`` is the message), or the folder refuses ("cannot write",
        and ``what``).
    """
    lock = FileLock(lock_file)
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise SwapError(taken) from None
    except OSError as error:
        raise SwapError(
            f"cannot write {what}: {error.strerror or error}. Give a folder that you may write to."
        ) from None
    try:
        yield
    finally:
        # The lock's file stays: were it removed, two processes could lock two files of one name.
        lock.release()
