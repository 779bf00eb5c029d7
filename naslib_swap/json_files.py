"""The one reader of JSON: of files and of texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Union

from naslib_swap.nesting import check_nesting
from naslib_swap.quoting import one_line
from naslib_swap.reading import damage, read_bytes


def read_json(path: Path, what: str = "JSON") -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path
        The file: UTF-8, with or without a byte order mark.
    what
        What the file should be, for messages, such as ``"JSON table"``.

    Raises
    ------
    BadFile
        The file cannot be read, is too large, is no JSON, or nests too deeply.
    """
    return parse_json(read_bytes(path), one_line(path), what)


def parse_json(content: Union[bytes, str], name: str, what: str = "JSON") -> Any:
    """Parse JSON that is already here; `name` is what messages call it."""
    with damage(f"{name} is no {what}"):
        value = json.loads(content)
    check_nesting(value, name)
    return value
