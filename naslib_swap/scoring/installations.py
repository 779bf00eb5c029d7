"""Whether workers elsewhere have this package, in this version, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

from naslib_swap import __version__
from naslib_swap.errors import LostWorker

# Both are looked up there by a function of the standard library, which every Python has: one of
# ours could not be sent to where this package is missing.
_VERSION = "naslib_swap:__version__"
_TASK = "naslib_swap.scoring.single:score_job.__name__"  # with all that it imports


def require_installations(
    cluster: str, ask: Callable[[Callable[[str], Any], str], Mapping[str, Any]]
) -> None:
    """Raise where a worker could not score as this process does.

    Parameters
    ----------
    cluster
        Its name in a message.
    ask
        Calls a function with a text on every worker; gives what it returned or raised, by worker.

    Raises
    ------
    LostWorker
        Where the package, or something that it needs, is missing or of another version.
    """
    for wanted, expected in ((_VERSION, __version__), (_TASK, "score_job")):
        for place, found in ask(resolve_name, wanted).items():
            if isinstance(found, Exception):
                raise missing_there(f"the {cluster} worker {place}", found)
            if found != expected:
                raise LostWorker(
                    f"the {cluster} worker {place} has naslib-swap {found}, expected "
                    f"{__version__} as here: its scores would not be the same. Install that there "
                    "and start the worker again, or go on without --backend and --address."
                )


def missing_there(where: str, error: Exception) -> LostWorker:
    """Return the error for a worker that cannot import what a task needs."""
    reason = str(error).rstrip(".").split("\n", 1)[0]
    return LostWorker(
        f"{where} cannot run a task: {type(error).__name__}: {reason}. Every worker needs "
        f"naslib-swap {__version__} and what it needs (pip install), in the Python that starts it. "
        "What was scored is kept; go on without --backend and --address meanwhile."
    )
