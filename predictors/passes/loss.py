"""The backward pass of the loss, which GradNorm, SNIP, Plain and Fisher share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from naslib_swap.predictors.passes.forward import LayerCall
from naslib_swap.predictors.passes.isolation import isolated
from naslib_swap.predictors.passes.layers import WeightedLayer, weights
from naslib_swap.predictors.passes.objective import loss_of

if TYPE_CHECKING:
    from naslib_swap.predictors.passes.probe import Probe


@dataclass(frozen=True)
class LossPass:
    """What the backward pass of the loss leaves.

    Attributes
    ----------
    gradients
        (weight, its gradient) of every Conv2d and Linear layer that the loss reaches.
    graph
        The same with the gradients' own graph; empty unless it was asked for.
    channels
        (layer, importance of each of its output channels [C]) of every call; see
        `channel_importance`.
    """

    gradients: list[tuple[Tensor, Tensor]]
    graph: list[tuple[Tensor, Tensor]]
    channels: list[tuple[WeightedLayer, Tensor]]


def loss_pass(probe: Probe, *, differentiable: bool = False) -> LossPass:
    """Go back from the loss once; the graph is kept for the Jacobian."""
    forward = probe.forward()
    channels: list[tuple[WeightedLayer, Tensor]] = []
    handles: list[RemovableHandle] = []
    layers = weights(probe.net)
    with isolated(probe.net, probe.seed):
        loss = loss_of(probe, forward.output)
        try:
            for call in forward.calls:
                handles.append(call.node.register_prehook(_note_channels(call, channels)))
            found = torch.autograd.grad(
                loss, layers, retain_graph=True, create_graph=differentiable, allow_unused=True
            )
        finally:
            for handle in handles:
                handle.remove()
    reached = [
        (weight, gradient) for weight, gradient in zip(layers, found) if gradient is not None
    ]
    plain = [(weight.detach(), gradient.detach()) for weight, gradient in reached]
    return LossPass(plain, reached if differentiable else [], channels)


def channel_importance(layer: WeightedLayer, output: Tensor, gradient: Tensor) -> Tensor:
    """Return the importance of each output channel in Fisher pruning: [S, ...] -> [C].

    It is half the mean over images of (sum over positions of output * gradient)^2 (Theis et al.
    2018, arXiv 1801.05787).
    Channels are dimension 1 of a convolution's output and the last of a linear layer's.
    """
    product = output * gradient
    channel = 1 if isinstance(layer, torch.nn.Conv2d) else product.ndim - 1
    positions = [d for d in range(1, product.ndim) if d != channel]
    by_image = product.sum(positions) if positions else product
    return by_image.pow(2).mean(0) / 2


def _note_channels(
    call: LayerCall, channels: list[tuple[WeightedLayer, Tensor]]
) -> Callable[[Any], None]:
    def note(gradients: Any) -> None:
        with torch.no_grad():
            importance = channel_importance(call.layer, call.output, gradients[0].detach())
        channels.append((call.layer, importance))

    return note
