"""The forward pass that NWOT, the loss and the Jacobian share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.autograd.graph import Node

from naslib_swap.activations import Kind, recording
from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.isolation import isolated, run
from naslib_swap.predictors.passes.layers import WeightedLayer, weighted_layers

if TYPE_CHECKING:
    from naslib_swap.predictors.passes.probe import Probe

# Kinds of activations whose patterns are 0 or 1: active above 0.
RECTIFIERS = frozenset({"relu", "relu6", "leaky_relu", "prelu", "rrelu"})
# GELU is above 0 where its input is: so transformers are scored (Auto-Prox, arXiv 2312.09059).
GATES = RECTIFIERS | {"gelu"}


@dataclass
class LayerCall:
    """One call of a weighted layer: its output, and where its gradient will pass."""

    layer: WeightedLayer
    output: Tensor
    node: Node


@dataclass
class ForwardPass:
    """What a forward pass in train mode leaves.

    Attributes
    ----------
    images
        The leaf that the Jacobian is taken for, [S, ...].
    output
        The logits, [S, ...], with their graph.
    calls
        Every call of a Conv2d or Linear layer, in order.
    active
        For every call of a ReLU or GELU, as module or function, which of its values are above 0:
        bool of the output's shape, in order.
    """

    images: Tensor
    output: Tensor
    calls: list[LayerCall] = field(default_factory=list)
    active: list[Tensor] = field(default_factory=list)


def forward_pass(probe: Probe) -> ForwardPass:
    """Run the network in train mode, recording the calls of its layers, ReLUs and GELUs.

    Outputs are recorded without copies unless a module says that it works in place. If the network
    turns out to have written into one of them (`y += x`), it runs once more, and copies are
    recorded.
    """
    copies = any(getattr(module, "inplace", False) for module in probe.net.modules())
    noted, versions = _pass(probe, copies=copies)
    if any(call.output._version != version for call, version in zip(noted.calls, versions)):
        noted, _ = _pass(probe, copies=True)
    return noted


def _pass(probe: Probe, *, copies: bool) -> tuple[ForwardPass, list[int]]:
    """Return what a forward pass leaves, and each layer's output's version when it was recorded."""
    images = probe.images.clone()
    images.requires_grad_(images.is_floating_point())
    calls: list[LayerCall] = []
    versions: list[int] = []
    active: list[Tensor] = []

    def note_layer(layer: Any, _: Any, output: Tensor) -> None:
        if output.grad_fn is not None:
            kept = output.detach().clone() if copies else output.detach()
            calls.append(LayerCall(layer, kept, output.grad_fn))
            versions.append(kept._version)

    def note_activation(output: Tensor, kind: Kind) -> bool:
        if kind.name in GATES:
            active.append(output.detach() > 0)
        return kind.name in GATES

    hooks = []
    try:
        for module in weighted_layers(probe.net):
            hooks.append(module.register_forward_hook(note_layer))
        with isolated(probe.net, probe.seed), recording(probe.net, note_activation):
            output = logits(run(probe.net, images), probe.num_classes)
    finally:
        for hook in hooks:
            hook.remove()
    return ForwardPass(images, output, calls, active), versions


def logits(output: Any, num_classes: int | None) -> Tensor:
    """Return the tensor of class scores in whatever a network returns.

    A tensor is returned as it is, a `logits` attribute or key is preferred, and of several tensors
    the first [S, num_classes] one is taken, or else the first.

    Raises
    ------
    Unscorable
        If there is no tensor.
    """
    if isinstance(output, Tensor):
        return output
    named = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if isinstance(named, Tensor):
        return named
    several = output.values() if isinstance(output, Mapping) else output
    tensors = [t for t in several if isinstance(t, Tensor)] if hasattr(several, "__iter__") else []
    if not tensors:
        raise Unscorable(
            f"the network returned {type(output).__name__}; expected a tensor, a tuple of tensors "
            "or an output with .logits"
        )
    fitting = [t for t in tensors if t.ndim == 2 and t.shape[1] == num_classes]
    return (fitting or tensors)[0]
