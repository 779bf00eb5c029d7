"""Weights that a proxy draws for itself, in place of those that the network has."""

from __future__ import annotations

import math
from typing import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Deviation = Callable[[Tensor], float]

_NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)
_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def standard(weight: Tensor) -> float:
    """Return the standard deviation 1."""
    return 1.0


def kaiming(weight: Tensor) -> float:
    """Return He's standard deviation for ReLUs by fan-in, sqrt(2 / fan_in) (arXiv 1502.01852)."""
    return math.sqrt(2 / max(weight[0].numel(), 1))


def drawn_weights(
    net: nn.Module, generator: torch.Generator, deviation: Deviation
) -> dict[str, Tensor]:
    """Draw the parameters of convolutions, linear and norm layers anew, by name.

    Weights come from N(0, deviation(weight)^2), on the CPU in the order of `named_modules`; biases
    are 0, norm layers have weight 1 and bias 0. Give them to `isolation.run` as its state: the
    network keeps its own.
    """
    drawn: dict[str, Tensor] = {}
    for prefix, module in net.named_modules():
        if not isinstance(module, (*_WEIGHTED, *_NORMS)):
            continue
        for name, parameter in module.named_parameters(prefix, recurse=False):
            if not name.endswith("weight"):
                values = torch.zeros(parameter.shape)
            elif isinstance(module, _NORMS):
                values = torch.ones(parameter.shape)
            else:
                values = torch.empty(parameter.shape).normal_(
                    0, deviation(parameter), generator=generator
                )
            drawn[name] = values.to(parameter)
    return drawn
