"""Reading architecture strings safely, with errors that say what was expected."""

from __future__ import annotations

import ast
from typing import Any

from naslib_swap.errors import SwapError

_LONGEST = 20_000
"""No architecture needs more characters; the limit keeps the parser's recursion shallow."""


def unknown_architecture(text: object, space: str, expected: str, example: str) -> SwapError:
    """Make the error for a text that is no architecture of a space."""
    shown = repr(text)
    if len(shown) > 160:
        shown = shown[:157] + "..."
    return SwapError(f"{shown} is no {space} architecture: expected {expected}, such as {example}")


def read_literal(text: str) -> Any:
    """Read nested tuples and lists of ints and strings; lists become tuples.

    Raises `ValueError` when the text is anything else. Nothing is ever evaluated.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"{len(text)} characters")
    try:
        value = ast.literal_eval(text.strip())
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return _as_tuples(value)


def _as_tuples(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_as_tuples(item) for item in value)
    if type(value) in (int, str):
        return value
    raise ValueError(f"{value!r} is neither a tuple, a list, an int nor a string")


def is_index_tuple(value: object, length: int, choices: int) -> bool:
    """Whether `value` is a tuple of `length` ints in `range(choices)`."""
    return (
        isinstance(value, tuple)
        and len(value) == length
        and all(type(item) is int and 0 <= item < choices for item in value)
    )
