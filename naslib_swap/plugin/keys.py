"""Architectures as NASLib's tables and hashes write them, brought to one form.

Tables write tuples or lists, hashes are tuples, and numpy's integers may be among them
(``np.int64(3)``). One form: nested tuples of Python integers, as ``str`` writes them.
"""

from __future__ import annotations

import ast
import re
from typing import Any, Optional

_NUMPY_INTEGER = re.compile(r"(?:np|numpy)\.u?int\d*\((-?\d+)\)")


def canonical(text: str) -> Optional[str]:
    """Return the one form of an architecture's text, or None where it is no tuple of integers."""
    if "(" not in text and "[" not in text:
        return None
    try:
        value = ast.literal_eval(_NUMPY_INTEGER.sub(r"\1", text))
    except (ValueError, SyntaxError):
        return None
    return str(as_tuples(value)) if isinstance(value, (tuple, list)) else None


def as_tuples(value: Any) -> Any:
    """Turn lists, also nested ones, into tuples."""
    return tuple(as_tuples(item) for item in value) if isinstance(value, (tuple, list)) else value
