"""Writing files completely or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from naslib_swap.errors import BadFile


def write_bytes(path: Path, *parts: bytes) -> None:
    """Replace a file: readers see the old content or the new, never half, even after a crash.

    The content may come in parts, to save memory. The folder is made if it is missing.

    Raises
    ------
    BadFile
        If the file cannot be written; nothing is left behind.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):  # it may not even exist; the error to report is the first
            part.unlink()
        raise BadFile(
            f"cannot write {path}: {error.strerror or error}. Give a folder that you may write to "
            "and that has room."
        ) from None


def write_text(path: Path, text: str) -> None:
    """Replace a file by UTF-8 text, as `write_bytes` does."""
    write_bytes(path, text.encode())
