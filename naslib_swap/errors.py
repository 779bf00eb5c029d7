"""The exceptions that users of naslib-swap meet.

Each message says what was given, what was expected and what to do. The command line prints it as
one line and exits with status 2. Any other exception is a bug, and keeps its traceback.
"""

from __future__ import annotations


class SwapError(ValueError):
    """A request that cannot be met; the base of the others."""


class BadArgument(SwapError):
    """An unknown name, a value out of its range, or one of the wrong type."""


class BadFile(SwapError):
    """What is missing, damaged, unexpected, or cannot be read or written: a file, a download."""


class Unscorable(SwapError):
    """A network, or the inputs given with it, for which a score is not defined."""


class LostWorker(SwapError):
    """A worker or a cluster that died, or does not answer."""
