"""Running a network so that the run leaves no trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from naslib_swap.arguments import copied
from naslib_swap.seeding import repeatable


@contextmanager
def isolated(net: nn.Module, seed: int, *, training: bool = True) -> Iterator[None]:
    """Set train mode and gradients, and seed torch's generators; restore all on leaving.

    Train mode makes normalisation layers use the statistics of the batch, as nearly every proxy
    here expects; without `training` it is eval mode. Gradients are switched on for all floating
    parameters, so that a score does not depend on what the caller has frozen. `.grad` is left
    alone: use `torch.autograd.grad`. Buffers are kept by `run`.
    """
    modules = list(net.modules())
    modes = [(module, module.training) for module in modules]
    parameters = [p for module in modules for p in module.parameters(recurse=False)]
    wants = [(p, p.requires_grad) for p in parameters if p.is_floating_point()]
    with repeatable(seed), torch.enable_grad():
        try:
            for module, _ in modes:
                module.training = training
            for parameter, _ in wants:
                parameter.requires_grad_(True)
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            for parameter, wanted in wants:
                parameter.requires_grad_(wanted)


def scratch_buffers(net: nn.Module) -> dict[str, Tensor]:
    """Copy the buffers (BatchNorm running statistics and the like), to be written into."""
    return {name: buffer.detach().clone() for name, buffer in net.named_buffers()}


def run(
    net: nn.Module,
    inputs: Any,
    state: dict[str, Tensor] | None = None,
    *,
    channels_last: bool = False,
) -> Any:
    """Return the network's raw output for `inputs`, with `state` in place of its own tensors.

    `inputs` is a tensor, a tuple or list (positional) or a mapping (keywords). Without a `state`
    the network writes into copies of its buffers, which are then thrown away.

    `channels_last` gives images on the CPU that memory layout. Small networks run up to twice as
    fast, but torch's batch normalisation then sums in float32 instead of float64; gradients of
    untrained networks magnify this error to a percent. Use it only for values that are not compared
    with another library's.
    """
    state = scratch_buffers(net) if state is None else state
    # Copies, since a network may work in place.
    if isinstance(inputs, (tuple, list)):
        return functional_call(net, state, tuple(copied(value) for value in inputs))
    if hasattr(inputs, "keys"):
        return functional_call(net, state, (), {k: copied(v) for k, v in inputs.items()})
    if channels_last and inputs.ndim == 4 and inputs.device.type == "cpu":
        return functional_call(net, state, (inputs.clone(memory_format=torch.channels_last),))
    return functional_call(net, state, (inputs.clone(),))
