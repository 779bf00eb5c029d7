"""Digests of files that were read before, so that an unchanged file is not read again.

A file is unchanged where its size and its times of change (to the nanosecond, that of its entry in
the folder among them) are. What is remembered lies in this process and in a small JSON file, which
may be lost, damaged or unwritable: then the file is read again.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Callable

from naslib_swap.errors import SwapError
from naslib_swap.files import write_text
from naslib_swap.json_files import read_json

_remembered: dict[str, list[Any]] = {}

_SETTLED = 2_000_000_000
"""Some file systems tell times apart by two seconds only: younger files are read again."""


def digest(path: Path, memory: Path, read: Callable[[Path], str]) -> str:
    """Return the digest of a file, remembered or read.

    Parameters
    ----------
    path
        The file.
    memory
        The JSON file that remembers: ``{path: [size, mtime_ns, ctime_ns, digest]}``.
    read
        Reads a file and returns its digest.
    """
    name, state = os.path.abspath(path), _state(path)
    for known in (_remembered, _stored(memory)):
        if state and known.get(name, [])[:-1] == state:
            _remembered[name] = known[name]
            return str(known[name][-1])
    found = read(path)
    # A file that changed while it was read, or may still change within its time, is not settled.
    if state and state == _state(path) and time.time_ns() - max(state[1:]) > _SETTLED:
        _remembered[name] = [*state, found]
        _store(memory, name)
    return found


def _state(path: Path) -> list[int]:
    try:
        found = os.stat(path)
    except OSError:  # reading it says what is wrong
        return []
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _stored(memory: Path) -> dict[str, list[Any]]:
    if not memory.is_file():
        return {}
    try:
        found = read_json(memory)
    except SwapError:  # remembering is a convenience: the file is read again
        return {}
    known = found.items() if isinstance(found, dict) else ()
    return {name: entry for name, entry in known if isinstance(entry, list) and len(entry) == 4}


def _store(memory: Path, name: str) -> None:
    try:
        write_text(memory, json.dumps({**_stored(memory), name: _remembered[name]}, indent=1))
    except SwapError:  # a folder that cannot be written costs time only
        return
