"""A network that comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from naslib_swap.devices import device_of


def set_mode(net: nn.Module, train: bool) -> None:
    """Put a network into train or eval mode."""
    # Not where nothing would change: on a network of many modules this costs as much as counting.
    if any(module.training != train for module in net.modules()):
        net.train(train)


@contextmanager
def restored(net: nn.Module, *, weights: bool) -> Iterator[None]:
    """Restore a network: modes, buffers, device, and weights if asked."""
    modules = list(net.modules())
    modes = [(module, module.training) for module in modules]
    device = device_of(net)
    buffers = [
        (
            module,
            dict(module._buffers),
            {k: b.clone() for k, b in module._buffers.items() if b is not None},
        )
        for module in modules
        if module._buffers
    ]
    kept = [(p, p.detach().clone()) for p in net.parameters()] if weights else []
    try:
        yield
    finally:
        if device is not None and device_of(net) != device:
            net.to(device)
        with torch.no_grad():
            for parameter, value in kept:
                parameter.copy_(value)
            for module, originals, values in buffers:
                module._buffers.clear()
                module._buffers.update(originals)
                for key, value in values.items():
                    module._buffers[key].copy_(value)  # type: ignore[union-attr]
        for module, training in modes:
            if module.training != training:
                module.training = training
