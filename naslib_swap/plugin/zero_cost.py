"""NASLib's `ZeroCost`: its names are checked when it is made, and it takes any network for ours.

On a graph of a known search space, with NASLib's own loader or none, the score is that of
`naslib_swap.plugin.live`. Any other network is scored as it is over the first batch.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any, Optional

from naslib_swap.errors import BadArgument
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


def patch_query(module: ModuleType) -> None:
    """Let `ZeroCost.query` take a list of graphs, as the Omni predictors call it.

    Breaks: AttributeError in `pre_compute` of OmniNGB and OmniSemiNAS. Where:
    predictors/omni_ngb.py:71 and omni_seminas.py:819, against predictors/zerocost.py:27. Since:
    always.
    """
    kind = module.ZeroCost  # type: ignore[attr-defined]
    original = kind.query

    @functools.wraps(original)
    def query(self: Any, graph: Any, dataloader: Any = None, info: Any = None) -> Any:
        if not isinstance(graph, (list, tuple)):
            return original(self, graph, dataloader=dataloader, info=info)
        loader = getattr(self, "train_loader", None) if dataloader is None else dataloader
        return [original(self, one, dataloader=loader, info=info) for one in graph]

    kind.query = query


def patch_find_measures(module: ModuleType) -> None:
    """Wrap `find_measures` of naslib.predictors.utils.pruners.predictive."""
    original = module.find_measures  # type: ignore[attr-defined]

    @functools.wraps(original)
    def find_measures(
        net_orig: Any,
        dataloader: Any,
        dataload_info: Any,
        device: Any,
        loss_fn: Any,
        measure_names: Any = None,
        measures_arr: Any = None,
    ) -> Any:
        from naslib_swap.plugin import measures

        names = list(measure_names or ())
        if measures_arr is None and len(names) == 1 and measures.is_ours(names[0]):
            score = score_graph(names[0], net_orig, dataloader)
            if score is not None:
                return score
        return original(
            net_orig, dataloader, dataload_info, device, loss_fn, measure_names, measures_arr
        )

    module.find_measures = find_measures  # type: ignore[attr-defined]


def score_graph(name: str, graph: Any, dataloader: Any) -> Optional[float]:
    """Score a graph of a known search space by its architecture; None where it is not one."""
    from naslib_swap.plugin import live, loaders, measures

    if dataloader is not None and not isinstance(dataloader, loaders.Lazy):
        return None
    space, dataset = measures.built_for(graph, dataloader)
    if dataset is None:
        return None
    return live.reported(space, dataset, str(graph.get_hash()), name)["score"]


def _check_name(name: str) -> None:
    from naslib_swap.plugin.measures import known_measures

    known = known_measures()
    if name not in known:
        raise BadArgument(
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
    import torch

    from naslib_swap.plugin.measures import score_batch

    if dataloader is None:
        raise BadArgument(
            f"{name} of a {type(network).__name__}: give its inputs, as in "
            "query(network, dataloader=loader), where a batch is (inputs, targets)"
        )
    batch = next(iter(dataloader))
    two = tuple(batch[:2]) if isinstance(batch, (tuple, list)) else (batch,)
    if len(two) != 2 or not all(isinstance(one, torch.Tensor) for one in two):
        kinds = ", ".join(type(one).__name__ for one in two)
        raise BadArgument(
            f"{name} of a {type(network).__name__}: got a batch of ({kinds}) from the loader, "
            "expected (inputs, targets), two tensors. Where there are no labels, give "
            "torch.zeros(len(inputs), dtype=torch.long)."
        )
    inputs, targets = two
    return float(sum(score_batch(name, network, inputs.to(device), targets)))
