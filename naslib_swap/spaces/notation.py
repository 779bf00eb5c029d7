"""Reading architecture strings safely, with errors that say what was expected."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from naslib_swap.errors import BadArgument, SwapError
from naslib_swap.json_files import parse_json
from naslib_swap.quoting import shown
from naslib_swap.yaml_files import parse_yaml

_LONGEST = 20_000
"""No architecture needs more characters; the limit keeps the parser's recursion shallow."""

_NUMPY_INTEGER = re.compile(r"(?:np|numpy)\.u?int\d+\((-?\d+)\)")
"""NumPy 2 writes its integers as ``np.int64(3)``."""


def unknown_architecture(text: object, space: str, expected: str, example: str) -> BadArgument:
    """Make the error for a text that is no architecture of a space."""
    return BadArgument(
        f"{shown(text)} is no {space} architecture: expected {expected}, such as {example}"
    )


def any_of(values: Iterable[object]) -> str:
    """Write two choices or more for a message: "1, 2 or 3"."""
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}"


def read_expression(text: object) -> ast.expr:
    """Parse one Python expression, without evaluating it; `ValueError` on anything else.

    NumPy's integers count as Python's.
    """
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ValueError("not a text of a reasonable length")
    try:
        return ast.parse(_NUMPY_INTEGER.sub(r"\1", text.strip()), mode="eval").body
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from error


def read_literal(source: object) -> Any:
    """Read nested tuples and lists of ints and strings, from a text or a parsed expression.

    Lists become tuples. `ValueError` when there is anything else; nothing is ever evaluated.
    """
    expression = source if isinstance(source, ast.expr) else read_expression(source)
    try:
        return _as_tuples(ast.literal_eval(expression))
    except (TypeError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _as_tuples(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_as_tuples(item) for item in value)
    if type(value) in (int, str):
        return value
    raise ValueError(f"{value!r} is neither a tuple, a list, an int nor a string")


def plain(arch: Any) -> Any:
    """Return an architecture with tuples for lists and arrays, and ints for NumPy's integers."""
    if isinstance(arch, np.ndarray):
        return plain(arch.tolist())
    if isinstance(arch, (tuple, list)):
        return tuple(plain(item) for item in arch)
    return int(arch) if isinstance(arch, np.integer) else arch


def read_mapping(text: object) -> dict[str, Any]:
    """Read a mapping as YAML, JSON or Python writes it: plain data by name.

    `ValueError` when it is none; types that YAML names are refused.
    """
    if not isinstance(text, str) or len(text) > _LONGEST or ":" not in text:
        raise ValueError("not a text of a reasonable length")
    read = parse_json if text.lstrip().startswith('{"') else parse_yaml  # much faster
    try:
        value = read(text, "an architecture")
    except SwapError as error:
        raise ValueError(str(error)) from error
    if not isinstance(value, dict):
        raise ValueError("not a mapping")
    return {name: item for name, item in value.items() if isinstance(name, str)}


def is_index_tuple(value: object, length: int, choices: int) -> bool:
    """Tell whether `value` is a tuple of `length` ints in `range(choices)`."""
    return (
        isinstance(value, tuple)
        and len(value) == length
        and all(type(item) is int and 0 <= item < choices for item in value)
    )
