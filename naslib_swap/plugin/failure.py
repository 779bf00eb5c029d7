"""Errors of ours inside NASLib's runners: one clear message, and an exit status that says so.

NASLib catches what it calls failures in several places and goes on with -1e8, nan or a line in the
log. In a runner (a script under `naslib/runners`) our errors therefore leave as `RunnerExit`, which
`except Exception` does not catch; anywhere else they are ordinary `SwapError`.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any, Callable, NoReturn, TypeVar

from naslib_swap.errors import SwapError

Function = TypeVar("Function", bound=Callable[..., Any])


class RunnerExit(SystemExit):
    """Ends a runner with status 2 after its message."""

    def __init__(self, message: str) -> None:
        super().__init__(2)
        self.message = message


def fail(message: str) -> NoReturn:
    """Raise the error that fits where we run; `message` says what to do."""
    if in_runner():
        sys.stderr.write(f"naslib-swap: error: {message}\n")
        raise RunnerExit(message)
    raise SwapError(message)


def loud(function: Function) -> Function:
    """Turn a SwapError of `function` into what `fail` raises."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except SwapError as error:
            if not in_runner():
                raise
            fail(str(error))

    return wrapper  # type: ignore[return-value]


def in_runner() -> bool:
    """Whether this process is one of NASLib's runner scripts."""
    parts = Path(sys.argv[0]).absolute().parts if sys.argv and sys.argv[0] else ()
    return any(pair == ("naslib", "runners") for pair in zip(parts, parts[1:]))
