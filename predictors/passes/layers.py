"""The layers that weight-based proxies look at."""

from __future__ import annotations

from typing import Union

from torch import Tensor, nn

WeightedLayer = Union[nn.Conv2d, nn.Linear]


def weighted_layers(net: nn.Module) -> list[WeightedLayer]:
    """List all Conv2d and Linear modules, each once, in the order of `net.modules()`.

    These are the layers whose `weight` NAS-Bench-Suite-Zero's measures sum over; biases and
    normalisation layers are not among them.
    """
    return [module for module in net.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]


def weights(net: nn.Module) -> list[Tensor]:
    """List the weights of `weighted_layers`."""
    return [layer.weight for layer in weighted_layers(net)]
