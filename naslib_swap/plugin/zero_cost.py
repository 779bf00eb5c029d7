"""NASLib's `ZeroCost`: its names are checked when it is made, and it takes any network for ours."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from naslib_swap.errors import SwapError
from naslib_swap.plugin import failure


def patch(module: ModuleType) -> None:
    """Wrap the constructor and `query` of naslib.predictors.zerocost's `ZeroCost`."""
    kind = module.ZeroCost  # type: ignore[attr-defined]
    make, ask = kind.__init__, kind.query

    @functools.wraps(make)
    @failure.loud
    def __init__(self: Any, method_type: str = "jacov", *args: Any, **options: Any) -> None:
        _check_name(method_type)
        make(self, method_type, *args, **options)

    @functools.wraps(ask)
    def query(self: Any, graph: Any, dataloader: Any = None, info: Any = None) -> Any:
        if _is_plain(self.method_type, graph):
            return _score_plain(self.method_type, graph, dataloader, self.device)
        return ask(self, graph, dataloader=dataloader, info=info)

    kind.__init__ = __init__
    kind.query = query


def _check_name(name: str) -> None:
    from naslib_swap.plugin.measures import known_measures

    known = known_measures()
    if name not in known:
        raise SwapError(
            f"unknown zero-cost predictor {name!r}; known are {', '.join(sorted(known))}"
        )


def _is_plain(name: str, network: Any) -> bool:
    """Whether a measure of ours is asked of a network that is no graph of NASLib's."""
    import torch

    from naslib_swap.plugin.measures import is_ours

    return (
        is_ours(name)
        and isinstance(network, torch.nn.Module)
        and not hasattr(network, "get_loss_fn")
    )


@failure.loud
def _score_plain(name: str, network: Any, dataloader: Any, device: Any) -> float:
    """Score a network as it is over the first batch of a loader of (inputs, targets)."""
    from naslib_swap.plugin.measures import score_batch

    if dataloader is None:
        raise SwapError(
            f"{name} of a {type(network).__name__}: give its inputs, as in "
            "query(network, dataloader=loader), where a batch is (inputs, targets)"
        )
    inputs, targets = next(iter(dataloader))[:2]
    return float(sum(score_batch(name, network, inputs.to(device), targets)))
