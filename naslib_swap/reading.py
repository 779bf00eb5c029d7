"""Reading files that others wrote: whole, within a budget of memory, with one-line errors."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from naslib_swap.errors import BadFile, SwapError
from naslib_swap.quoting import one_line

MOST_BYTES = 1 << 28
"""The most bytes that are read of one file, also after decompression: 256 MiB."""

_DECOMPRESSED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


@contextmanager
def damage(what: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a foreign file into one `BadFile`.

    Decoders of foreign formats fail in almost any way on damaged files, so every `Exception`
    counts: keep only the decoding inside.

    Parameters
    ----------
    what
        The beginning of the message, such as ``"x.npz cannot be read as .npz"``.
    """
    try:
        yield
    except SwapError:
        raise
    except RecursionError as error:
        raise BadFile(f"{what}: it is nested too deeply") from error
    except MemoryError as error:
        raise BadFile(f"{what}: it asks for more memory than there is") from error
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BadFile(f"{what}: {one_line(reason) or type(error).__name__}") from error


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Read a file.

    Raises
    ------
    BadFile
        It cannot be read, or has more than `most` bytes.
    """
    with damage(f"{one_line(path)} cannot be read"), open(path, "rb") as file:
        return within(file, path, most)


def within(file: IO[bytes], name: object, most: int = MOST_BYTES) -> bytes:
    """Read an open file to its end; `BadFile` when there are more than `most` bytes."""
    content = file.read(most + 1)
    if len(content) > most:
        raise BadFile(
            f"{one_line(name)} holds more than {most:,} bytes, which is more than any file of "
            "this kind needs; nothing of it was read"
        )
    return content


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """Read UTF-8 text, decompressed as the name says, without a byte order mark.

    Parameters
    ----------
    path
        Names that end in .gz, .bz2, .xz or .zip (of one file) are decompressed.
    most
        The most bytes, before and after decompression.

    Raises
    ------
    BadFile
        It cannot be read, is too large, or is no UTF-8.
    """
    content, suffix = read_bytes(path, most), Path(path).suffix.lower()
    with damage(f"{one_line(path)} cannot be read"):
        if suffix in _DECOMPRESSED:
            with _DECOMPRESSED[suffix](io.BytesIO(content)) as file:
                content = within(file, path, most)
        elif suffix == ".zip":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                if len(archive.namelist()) != 1:
                    raise ValueError(f"it holds {len(archive.namelist())} files; expected one")
                with archive.open(archive.namelist()[0]) as file:
                    content = within(file, path, most)
        return content.decode("utf-8-sig")
