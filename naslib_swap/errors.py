"""The exception that users of naslib-swap meet."""

from __future__ import annotations


class SwapError(ValueError):
    """A request that cannot be met.

    The message says what was given, what was expected and what to do about it. The command line
    prints it as one line and exits with status 2.
    """
