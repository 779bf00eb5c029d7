"""Activations that a forward pass computes in other threads, where no mode of torch's looks.

Samples are marked, so that they, and whatever is computed from them, tell in which thread a
function was called on them: of a pool that was there before, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from torch import Tensor, nn

from naslib_swap.activations import ActivationTable, Kind


@contextmanager
def other_threads() -> Iterator[Callable[[], bool]]:
    """Tell whether there are other threads now, or one was started inside.

    A marked pass is needed nowhere else.
    """
    before = threading.active_count() > 1
    started = threading.Event()
    original = threading.Thread.start

    def start(self: threading.Thread) -> None:
        started.set()
        original(self)

    threading.Thread.start = start  # type: ignore[method-assign]
    try:
        yield lambda: before or started.is_set()
    finally:
        threading.Thread.start = original  # type: ignore[method-assign]


@contextmanager
def modules_elsewhere(net: nn.Module) -> Iterator[set[str]]:
    """Collect the classes of modules that run in other threads than this one."""
    here = threading.get_ident()
    found: set[str] = set()

    def note(module: nn.Module, args: Any) -> None:
        if threading.get_ident() != here:
            found.add(type(module).__name__)

    handles = [module.register_forward_pre_hook(note) for module in net.modules()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def activations_elsewhere(
    call: Callable[[Tensor], Any], sources: Tensor, table: ActivationTable
) -> set[str]:
    """Return the activations that are called on samples in other threads than this one.

    Parameters
    ----------
    call
        Runs the network with sample i replaced by the one that the given indices name.
    sources
        The indices.
    table
        What counts as an activation.
    """
    here = threading.get_ident()
    found: set[str] = set()

    class Marked(Tensor):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if threading.get_ident() != here:
                kind = table.functions.get(func)
                if kind is not None and not isinstance(kind, Kind):
                    kind = kind(*args, **(kwargs or {}))
                if kind is not None:
                    found.add(kind.name)
            return super().__torch_function__(func, types, args, kwargs or {})

    # A network may take no subclass of Tensor. With plain ones it has just run.
    with suppress(Exception):
        call(sources.as_subclass(Marked))
    call(sources)  # what modules keep of a pass is plain again
    return found
