"""Zen-Score: how sensitive the feature maps are to the images."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.drawn_weights import drawn_weights, standard
from naslib_swap.predictors.passes.features import recording_features
from naslib_swap.predictors.passes.isolation import isolated, run, scratch_buffers
from naslib_swap.predictors.passes.noise import noise
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy

GAMMA = 1e-2


def compute(probe: Probe) -> float:
    """Return the Zen-Score.

    It is log mean_s sum |f(x) - f(x + 0.01 e)| + sum over BatchNorm2d of
    log sqrt(mean running_var).

    f are the feature maps before global pooling (`features`), x and e are Gaussian noise of the
    images' shape, and the weights are drawn anew, N(0, 1) for Conv2d and Linear, norm layers 1 and
    0, all from the seed: neither the images' values nor the given weights matter. `running_var` is
    read after the two passes, with the momentum and the history that the network has, as in the
    authors' and in Suite-Zero's code, although the formula means the variance itself.

    Raises
    ------
    Unscorable
        If there are no feature maps, or they do not depend on the images.
    """
    generator = torch.Generator().manual_seed(probe.seed)
    state: dict[str, Tensor] = {
        **drawn_weights(probe.net, generator, standard),
        **scratch_buffers(probe.net),
    }
    samples = len(probe.images)
    first, second = (noise(probe, samples, generator) for _ in range(2))
    with isolated(probe.net, probe.seed), torch.no_grad():
        calm = _features(probe, first, state)
        shaken = _features(probe, first + GAMMA * second, state)
        difference = float((calm - shaken).abs().flatten(1).sum(1).mean())
        if difference == 0:
            raise Unscorable("the feature maps do not depend on the images: no path joins them")
        score = math.log(difference)
        variances = [state[name].mean() for name in _running_variances(probe.net)]
        return score + sum(math.log(variance) / 2 for variance in variances)


def _features(probe: Probe, images: Tensor, state: dict[str, Tensor]) -> Tensor:
    with recording_features(probe.net) as features:
        output: Any = run(probe.net, images, state, channels_last=True)
    found = features.before_pooling(output)
    if found is None:
        raise Unscorable("no feature maps [S, C, H, W] were seen; Zen-Score needs convolutions")
    return found


def _running_variances(net: nn.Module) -> list[str]:
    return [
        f"{name}.running_var" if name else "running_var"
        for name, module in net.named_modules()
        if isinstance(module, nn.BatchNorm2d) and module.running_var is not None
    ]


PROXY = Proxy(
    name="zen",
    title="Zen-Score",
    compute=compute,
    needs=frozenset(),
    reference="Lin et al. 2021, arXiv 2102.01063, algorithm 1",
    scale="natural logarithm",
)
