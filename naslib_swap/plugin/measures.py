"""SWAP and regularised SWAP in NASLib's registry of measures.

`ZeroCost(method_type="swap").query(graph)` works then, and whatever is built on it. On a graph of a
known search space, with NASLib's own loader or none, the score is that of
`naslib_swap.plugin.live`: the native network over the fixed minibatch. On any other network, or
with a loader that the user gives, the network is scored as it is over the first batch.
"""

from __future__ import annotations

import functools
import logging
import math
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Optional

from naslib_swap.errors import SwapError
from naslib_swap.plugin import failure

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger("naslib.swap")

MEASURES = ("swap", "reg_swap")
WITHOUT_REGISTRY = ("flops", "params")
"""Proxies that NASLib computes outside its registry."""

_REGISTRY = "naslib.predictors.utils.pruners.measures"


def known_measures() -> tuple[str, ...]:
    """Names that `ZeroCost(method_type=...)` takes: ours, and those of NASLib's registry."""
    registry = sys.modules.get(_REGISTRY)
    if registry is None:
        from importlib import import_module

        registry = import_module(_REGISTRY)
    return (*registry.available_measures, *WITHOUT_REGISTRY)


def patch_registry(module: ModuleType) -> None:
    """Register the measures; `module` is naslib.predictors.utils.pruners.measures."""
    taken = set(module.available_measures)  # type: ignore[attr-defined]
    for name in MEASURES:
        if name not in taken:
            measure = functools.partial(score_batch, name)
            module.measure(name, copy_net=False)(measure)  # type: ignore[attr-defined]


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
        names = list(measure_names or ())
        if measures_arr is None and len(names) == 1 and names[0] in MEASURES:
            score = score_graph(names[0], net_orig, dataloader)
            if score is not None:
                return score
        return original(
            net_orig, dataloader, dataload_info, device, loss_fn, measure_names, measures_arr
        )

    module.find_measures = find_measures  # type: ignore[attr-defined]


def patch_zero_cost(module: ModuleType) -> None:
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


@failure.loud
def score_graph(name: str, graph: Any, dataloader: Any) -> Optional[float]:
    """Score a graph of a known search space by its architecture; None where it is not one."""
    from naslib_swap.plugin import live, loaders

    if dataloader is not None and not isinstance(dataloader, loaders.Lazy):
        return None
    space = graph.get_type() if hasattr(graph, "get_type") else None
    dataset = _dataset(graph, dataloader)
    if space is None or dataset is None:
        return None
    return live.score_architecture(space, dataset, str(graph.get_hash()), name)["score"]


@failure.loud
def score_batch(
    name: str,
    net: Any,
    inputs: Tensor,
    targets: Any,
    split_data: int = 1,
    loss_fn: Any = None,
) -> list[Tensor]:
    """Score a network as it is over the first images of a batch; NASLib's form of a measure.

    NASLib calls it with the network on the CPU and the inputs, [S, C, H, W], on the run's device.
    The result is what NASLib sums: a list of one float64 scalar.
    """
    import torch

    from naslib_swap.plugin import settings
    from naslib_swap.regularisation import log_factor
    from naslib_swap.score import swap_score

    wanted = settings.current()
    batch = inputs[: wanted.samples_for("")]
    swap = swap_score(net, batch, repeats=wanted.repeats, seed=wanted.seed, device=inputs.device)
    score = swap.score
    if name == "reg_swap":
        rule = _rule(net, wanted)
        score = math.log(score) + log_factor(_size(net) / 1000, rule.mu, rule.sigma)
    return [torch.tensor(score, dtype=torch.float64)]


def _rule(net: Any, wanted: Any) -> Any:
    from naslib_swap.plugin import live
    from naslib_swap.regularisation import Regularisation

    if wanted.mu is not None:
        return Regularisation(wanted.mu, wanted.sigma)
    space = net.get_type() if hasattr(net, "get_type") else None
    dataset = _dataset(net, None)
    if space is None or dataset is None:
        raise SwapError(
            f"reg_swap needs mu and sigma for a {type(net).__name__}, which is of no known search "
            "space: give swap.mu and swap.sigma in thousands of parameters"
        )
    return live.regularisation(space, dataset, wanted)


def _size(net: Any) -> int:
    return sum(v.numel() for name, v in net.named_parameters() if "auxiliary" not in name)


_BY_CLASSES = {10: "cifar10", 100: "cifar100", 120: "ImageNet16-120"}


def _dataset(graph: Any, dataloader: Any) -> Optional[str]:
    """Name the dataset that a graph is built for: by its loader, its task, or its classes."""
    from naslib_swap.spaces.tasks import TASKS

    space = graph.get_type() if hasattr(graph, "get_type") else None
    config = getattr(dataloader, "config", None)
    candidates = (
        getattr(config, "dataset", None),
        getattr(graph, "dataset", None),
        _BY_CLASSES.get(getattr(graph, "num_classes", 0)),
    )
    return next((name for name in candidates if (space, name) in TASKS), None)
