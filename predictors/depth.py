"""The number of weighted layers on the longest path."""

from __future__ import annotations

from torch.autograd.graph import Node

from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return the weighted layers (Conv2d, Linear) on the longest path from images to output.

    The search space says it where it can. Otherwise the autograd graph is searched; in it, a path
    through an operation that multiplies by zero counts too.
    """
    known = None if probe.known is None else probe.known.depth()
    if known is not None:
        return float(known)
    forward = probe.forward()
    return float(_longest(forward.output.grad_fn, {call.node for call in forward.calls}))


def _longest(last: Node | None, counted: set[Node]) -> int:
    """Return the most `counted` nodes on a path to `last`; iterative, since graphs are deep."""
    length: dict[Node | None, int] = {None: 0}
    stack = [last]
    while stack:
        node = stack[-1]
        if node in length:
            stack.pop()
            continue
        assert node is not None
        before = [previous for previous, _ in node.next_functions]
        missing = [previous for previous in before if previous not in length]
        if missing:
            stack.extend(missing)
            continue
        length[node] = max((length[p] for p in before), default=0) + (node in counted)
        stack.pop()
    return length[last]


PROXY = Proxy(
    name="depth",
    title="Depth",
    compute=compute,
    reference="trivial baseline",
    scale="layers",
    passes=frozenset({"forward"}),
    size_weighable=True,
)
