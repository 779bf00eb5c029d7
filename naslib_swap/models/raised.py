"""What code of others raised, in one line."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch


def cause(error: BaseException) -> str:
    """Say in one line what the user's code raised, and in which of its lines."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
    ours = Path(__file__).parents[1]
    not_theirs = ("<", str(Path(torch.__file__).parent), str(ours))
    theirs = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(not_theirs)
    ]
    if not theirs:
        return text
    return f"{text} ({Path(theirs[-1].filename).name}, line {theirs[-1].lineno})"
