"""Gradients of a signal of ones through absolute weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.forward import logits
from naslib_swap.predictors.passes.isolation import isolated, run
from naslib_swap.predictors.passes.probe import Probe


def gradients_of_ones(
    probe: Probe, parameters: Sequence[Tensor], *, train: bool
) -> list[tuple[Tensor, Tensor]]:
    """Return (|w|, dR/d|w|) of each of these parameters, in float64.

    R is the sum of the outputs for one image of ones; what it does not reach has gradient 0. All
    parameters and buffers are taken by
    absolute value; the network keeps its own.

    Raises
    ------
    Unscorable
        If the inputs are tokens, for which there is no image of ones.
    """
    net = probe.net
    if not probe.images.is_floating_point():
        raise Unscorable(
            f"an image of ones needs floating-point inputs, not {probe.images.dtype}; it is not "
            "defined for tokens"
        )
    state = {name: _flowing(tensor) for name, tensor in _tensors(net)}
    leaves = {id(tensor): state[name] for name, tensor in net.named_parameters()}
    chosen = [leaves[id(parameter)] for parameter in parameters]
    ones = torch.ones_like(probe.images[:1], dtype=torch.float64)
    with isolated(net, probe.seed):
        for module in net.modules():
            module.training = train
        output = logits(run(net, ones, state), probe.num_classes)
        gradients = torch.autograd.grad(output.sum(), chosen, allow_unused=True)
    return [
        (w.detach(), torch.zeros_like(w, requires_grad=False) if g is None else g)
        for w, g in zip(chosen, gradients)
    ]


def _tensors(net: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from net.named_parameters()
    yield from net.named_buffers()


def _flowing(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor.detach().clone()
    return tensor.detach().double().abs().requires_grad_(isinstance(tensor, nn.Parameter))
