"""A closer look at a network, once for each class of networks, before its score is trusted.

Two things can make a count wrong in silence: activations that Python does not see (in scripted
functions, say, or in another thread), and rows that are not samples. Both are looked for with a few
more forward passes; the first once for each class of networks, the second only where a call in the
forward pass may have moved rows. What was found is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

import torch
from torch import Tensor, nn

from naslib_swap.activations import ActivationTable, Calls, Rewrite, recording
from naslib_swap.dropout import WITHOUT_DROPOUT, without_dropout
from naslib_swap.errors import SwapError, Unscorable
from naslib_swap.movements import Watch
from naslib_swap.rows import (
    FIRST,
    Arranger,
    FrozenStatistics,
    Layout,
    Traces,
    find_layout,
)
from naslib_swap.threads import activations_elsewhere, modules_elsewhere, other_threads
from naslib_swap.traversal import modules_of

# What is remembered is a few names a network; searches see many.
_MOST = 4096


@dataclass(frozen=True)
class Plan:
    """How a network is to be recorded: where its samples are, and whether to look below Python."""

    layout: Optional[Layout] = None
    hidden: bool = False


PLAIN = Plan()


@dataclass(frozen=True)
class Examined:
    """What one plain forward pass of a network showed."""

    net: nn.Module
    calls: Calls
    watch: Watch
    arranger: Arranger
    table: ActivationTable

    @property
    def class_key(self) -> Any:
        """Networks that are alike in this hide alike."""
        modules = frozenset(map(type, modules_of(self.net)))
        return type(self.net), modules, frozenset(self.watch.functions), self.net.training

    @property
    def rows_key(self) -> Any:
        """Networks that are alike in this move rows alike."""
        return type(self.net), tuple(self.watch.moves), tuple(self.arranger.shapes)

    @property
    def suspicious(self) -> bool:
        """Whether rows may not be samples."""
        rows = {shape[:1] for shape in self.arranger.shapes}
        return bool(self.watch.moves) or rows != {(self.watch.samples,)}


_open_classes: dict[Any, None] = {}
_layouts: dict[Any, Optional[Layout]] = {}


def remembered(seen: Examined) -> Plan | None:
    """Return the plan for networks like this, or None where it must be examined."""
    if seen.class_key not in _open_classes:
        return None
    if not seen.suspicious:
        return PLAIN
    if seen.rows_key not in _layouts:
        return None
    return Plan(_layouts[seen.rows_key])


def examine(
    seen: Examined,
    call: Callable[[Tensor], Any],
    rewrites: Mapping[Any, Rewrite],
    *,
    thorough: bool = False,
) -> Plan:
    """Look at a network more closely.

    The network's buffers change; the caller restores them.

    Parameters
    ----------
    seen
        What one forward pass showed.
    call
        Runs the network with sample i replaced by the one that the given indices name, seeded.
    rewrites
        Functions that were called in another way in that forward pass.
    thorough
        Whether to check rows also where nothing points at their having moved.

    Raises
    ------
    Unscorable
        Modules or activations in other threads; rows that cannot be told apart.
    """
    hidden = thorough or seen.class_key not in _open_classes
    hidden = hidden and _hides_calls(seen, call, rewrites)
    if not hidden:
        _remember(_open_classes, seen.class_key, None)
    if not (hidden or thorough or seen.suspicious):
        return PLAIN
    layout = _layout(seen, call, hidden)
    if layout is not None and all(place == FIRST for place in layout):
        layout = None
    if not hidden:
        _remember(_layouts, seen.rows_key, layout)
    return Plan(layout, hidden)


def _remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    if len(memory) >= _MOST:
        memory.clear()
    memory[key] = value


def _hides_calls(
    seen: Examined, call: Callable[[Tensor], Any], rewrites: Mapping[Any, Rewrite]
) -> bool:
    """Whether more activations are seen below Python than in it."""
    arranger = Arranger(seen.watch.samples)
    everyone = torch.arange(seen.watch.samples)
    with (
        torch.no_grad(),
        modules_elsewhere(seen.net) as elsewhere,
        other_threads() as are_there,
        recording(
            seen.net,
            lambda output, kind: _said(arranger, output),
            seen.table,
            rewrites=rewrites,
            hidden=True,
        ) as calls,
    ):
        call(everyone)
    if not elsewhere and are_there():
        with torch.no_grad(), modules_elsewhere(seen.net) as elsewhere:
            elsewhere |= activations_elsewhere(call, everyone, seen.table)
    if elsewhere:
        raise Unscorable(
            f"{type(seen.net).__name__} calls {', '.join(sorted(elsewhere)[:3])} in another thread "
            "than the caller's, where activations cannot be seen; expected one thread. Score the "
            "network without DataParallel, thread pools or their like."
        )
    return (calls.recorded, calls.unrecorded) != (seen.calls.recorded, seen.calls.unrecorded)


def _said(arranger: Arranger, output: Any) -> bool | str:
    how = arranger.arrange(output)[1]
    return False if how is None else how or True


def _layout(seen: Examined, call: Callable[[Tensor], Any], hidden: bool) -> Layout | None:
    statistics = FrozenStatistics()
    rewrites = {**WITHOUT_DROPOUT, **statistics.rewrites}

    def run(sources: Tensor) -> Traces:
        traces = Traces()
        statistics.start()
        with (
            torch.no_grad(),
            without_dropout(modules_of(seen.net)),
            recording(seen.net, traces.take, seen.table, rewrites=rewrites, hidden=hidden),
        ):
            call(sources)
        return traces

    name = type(seen.net).__name__
    try:
        return find_layout(run, seen.watch.samples, name)
    except SwapError:
        everyone = torch.arange(seen.watch.samples)
        first, again = run(everyone), run(everyone)
        if not first.equals(again):
            return None  # random in a way that no seed reaches: nothing can be told
        # Batch statistics written by hand: in eval mode samples do not meet in them.
        if not any(module.training for module in seen.net.modules()):
            raise
        seen.net.eval()
        if run(everyone).shapes != first.shapes:
            raise
        return find_layout(run, seen.watch.samples, name)
