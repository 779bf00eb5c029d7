"""Reading pickles that others wrote: only the named types are ever constructed."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from typing import Any

from naslib_swap.errors import SwapError

Allowed = Mapping[tuple[str, str], Any]
"""(module, name) as written in the pickle, and what stands in for it here."""


def load_pickle(content: bytes, allowed: Allowed, *, what: str, encoding: str = "ASCII") -> Any:
    """Read one pickle of plain data and the `allowed` types.

    Raises SwapError when the pickle is truncated, is no pickle, or names any other type; nothing
    that it names is imported or called.
    """
    try:
        return _Restricted(io.BytesIO(content), allowed, what, encoding).load()
    except SwapError:
        raise
    except Exception as error:
        # A damaged pickle can make the interpreter of its opcodes fail in almost any way.
        raise SwapError(
            f"{what} cannot be read: it is truncated or no pickle ({type(error).__name__}: {error})"
        ) from error


class _Restricted(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, allowed: Allowed, what: str, encoding: str) -> None:
        super().__init__(stream, encoding=encoding)
        self._allowed, self._what = allowed, what

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            expected = ", ".join(sorted({known for _, known in self._allowed})) or "plain data only"
            raise SwapError(
                f"{self._what} is refused: its pickle asks for {module}.{name}, which it has no "
                f"need of (expected {expected}); nothing of it was run"
            )
        return self._allowed[module, name]
