"""Our proxies in NASLib's registry of measures: all that NASLib has no measure of its own for.

`ZeroCost(method_type="swap").query(graph)` works then, and whatever is built on it. A network is
scored as it is over the first batch, unless `naslib_swap.plugin.zero_cost` knows its architecture.
"""

from __future__ import annotations

import functools
import logging
import sys
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Optional

from naslib_swap import proxies
from naslib_swap.errors import BadArgument, SwapError, Unscorable
from naslib_swap.plugin import failure

if TYPE_CHECKING:
    from torch import Tensor

    from naslib_swap.plugin.settings import Settings
    from naslib_swap.scoring import Score

logger = logging.getLogger("naslib.swap")

ALWAYS = frozenset({"swap", "reg_swap"})
"""Computed by us even where a NASLib should have measures of these names."""

WITHOUT_REGISTRY = ("flops", "params")
"""Proxies that NASLib computes outside its registry."""

_REGISTRY = "naslib.predictors.utils.pruners.measures"


def known_measures() -> tuple[str, ...]:
    """Names that `ZeroCost(method_type=...)` takes: ours, and those of NASLib's registry."""
    return (*_registry().available_measures, *WITHOUT_REGISTRY)


def is_ours(name: str) -> bool:
    """Whether we compute a measure, not NASLib; all of ours where there is no NASLib."""
    if name in ALWAYS or name not in proxies.names():
        return name in ALWAYS
    try:
        return name not in _registry().naslibs_own
    except ModuleNotFoundError as error:
        if error.name != "naslib":
            raise
        return True


def patch_registry(module: ModuleType) -> None:
    """Register our proxies; `module` is naslib.predictors.utils.pruners.measures.

    May run again: proxies that were added meanwhile are registered then.
    """
    known: Any = module
    if not hasattr(known, "naslibs_own"):
        known.naslibs_own = frozenset(known.available_measures) | set(WITHOUT_REGISTRY)
    for name in proxies.names():
        if name not in known.available_measures and name not in known.naslibs_own:
            known.measure(name, copy_net=False)(functools.partial(score_batch, name))


@failure.loud
def score_batch(
    name: str,
    net: Any,
    inputs: Tensor,
    targets: Tensor,
    split_data: int = 1,
    loss_fn: Any = None,
) -> list[Tensor]:
    """Score a network as it is over the first images of a batch; NASLib's form of a measure.

    Parameters
    ----------
    name
        One of our proxies.
    net
        The network. NASLib calls with it on the CPU, and moves it to the run's device afterwards.
    inputs, targets
        Images [B, C, H, W] on the run's device, and labels [B]. The first S of them are taken: as
        many as the settings say, else as suit the network's space.

    Returns
    -------
    list of Tensor
        What NASLib sums: one float64 scalar.

    Raises
    ------
    Unscorable
        The network has no such score.
    """
    import torch

    from naslib_swap.inputs.minibatch import Minibatch
    from naslib_swap.plugin import settings
    from naslib_swap.proxies import Probe
    from naslib_swap.scoring.network import score_network

    wanted = settings.current()
    samples = wanted.samples or _samples(net)
    batch = Minibatch(inputs[:samples], targets[:samples], "the batch given", "", True)
    probe = Probe(
        net.to(inputs.device),
        batch,
        seed=wanted.seed,
        num_classes=getattr(net, "num_classes", None),
        settings=_settings(name, net, wanted),
        known=_WithoutAuxiliary(net),
    )
    score = score_network(probe, [name])[name]
    value = value_of(score, name, f"this {type(net).__name__}")
    return [torch.tensor(value, dtype=torch.float64)]


def value_of(score: Score, name: str, scored: str) -> float:
    """Return the value of a score.

    Raises
    ------
    Unscorable
        The proxy is not defined for what was scored.
    SwapError
        The proxy broke down; the log has the trace.
    """
    if score.trace is not None:
        logger.error("%s", score.trace)
        raise SwapError(f"{name} failed on {scored}: {score.error}")
    if score.value is None:
        raise Unscorable(f"{name} has no score for {scored}: {score.error}")
    return score.value


@dataclass
class _WithoutAuxiliary:
    """What is known of a network of NASLib's: its size, without heads for training alone."""

    net: Any

    def depth(self) -> Optional[float]:
        return None

    def parameters(self) -> int:
        named = self.net.named_parameters()
        return sum(v.numel() for name, v in named if "auxiliary" not in name)

    def multiply_accumulates(self, input_shape: tuple[int, ...]) -> None:
        return None

    def outline(self) -> None:
        return None


def _samples(net: Any) -> int:
    from naslib_swap import spaces
    from naslib_swap.scoring import Images

    space, _ = built_for(net, None)
    return spaces.get(space).samples if space in spaces.names() else Images.samples


def _settings(name: str, net: Any, wanted: Settings) -> dict[str, Any]:
    """Return the settings for a network as it is; mu and sigma as for its space, unless given."""
    from naslib_swap.scoring.conditions import regularisation_of

    found = {"repeats": wanted.repeats or 0, "batch_repeats": wanted.batch_repeats}
    if "mu" not in proxies.get(name).reads:
        return found
    if wanted.mu is not None and wanted.sigma is not None:
        return {**found, "mu": wanted.mu, "sigma": wanted.sigma}
    space, dataset = built_for(net, None)
    if dataset is None:
        raise BadArgument(
            f"{name} needs mu and sigma for a {type(net).__name__}, which is of no known search "
            "space: give swap.mu and swap.sigma in thousands of parameters."
        )
    rule = regularisation_of(space, dataset, variant=wanted.variant, rule=wanted.rule)
    return {**found, "mu": rule.mu, "sigma": rule.sigma}


_BY_CLASSES = {10: "cifar10", 100: "cifar100", 120: "ImageNet16-120"}


def built_for(graph: Any, dataloader: Any) -> tuple[str, Optional[str]]:
    """Name the space of a graph, and the data set that it is built for.

    The data set is known by the loader, the graph's task, or its classes; None where it is none of
    ours.
    """
    from naslib_swap import spaces

    space = graph.get_type() if hasattr(graph, "get_type") else ""
    tasks = spaces.get(space).tasks if space in spaces.names() else {}
    config = getattr(dataloader, "config", None)
    candidates = (
        getattr(config, "dataset", None),
        getattr(graph, "dataset", None),
        _BY_CLASSES.get(getattr(graph, "num_classes", 0)),
    )
    return space, next((name for name in candidates if name in tasks), None)


def _registry() -> Any:
    module = sys.modules.get(_REGISTRY) or import_module(_REGISTRY)
    patch_registry(module)
    return module
