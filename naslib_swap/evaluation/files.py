"""Writing files whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from naslib_swap.errors import SwapError


def write_bytes(path: Path, data: bytes) -> None:
    """Write beside the target and rename; SwapError, and nothing left behind, where that fails."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        _forget(part)
        raise SwapError(
            f"cannot write {path}: {error.strerror or error}. Give a folder that you may write to "
            "and that has room."
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    write_bytes(path, text.encode())


def _forget(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:
        return  # the folder itself refuses: there is nothing to remove
