"""The layers that weight-based proxies look at."""

from __future__ import annotations

from torch import nn

WEIGHTED = (nn.Conv2d, nn.Linear)


def weighted_layers(net: nn.Module) -> dict[str, nn.Module]:
    """All Conv2d and Linear modules by name, each once, in the order of `named_modules`.

    These are the layers whose `weight` NAS-Bench-Suite-Zero's measures sum over; biases and
    normalisation layers are not among them.
    """
    return {name: module for name, module in net.named_modules() if isinstance(module, WEIGHTED)}
