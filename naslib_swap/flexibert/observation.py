"""One forward and one backward pass of an encoder, and what the comparators need of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable

import torch
from torch import Tensor, nn

from naslib_swap.errors import BadArgument
from naslib_swap.flexibert.batches import TextBatch
from naslib_swap.flexibert.choices import COTANGENTS
from naslib_swap.flexibert.modelling import EncoderLayer, FlexiBertModel
from naslib_swap.seeding import seeded

# Documents per pass: gradients add up over documents, so this bounds the memory and nothing else.
_CHUNK = 16


@dataclass(frozen=True)
class Observation:
    """What was seen of an encoder over a batch.

    Attributes
    ----------
    net
        The encoder.
    activations
        Post-activations of the first document, [T, units] for each activation call.
    heads
        For each projection of each mixing operation, the mean over documents and features of the
        maximum over tokens.
    attention
        For each mixing operation, the mean over documents and tokens of the maximum over heads of
        its softmax.
    gradients
        Of the sum of cotangent times last hidden state over the batch, by parameter name.
    """

    net: FlexiBertModel
    activations: list[Tensor]
    heads: list[float]
    attention: list[float]
    gradients: dict[str, Tensor]


def observe(
    net: FlexiBertModel, batch: TextBatch, *, cotangent: str = "random", seed: int = 0
) -> Observation:
    """Run an encoder forward and backward, in train mode, as it stands.

    Its weights, modes and hooks come back as they were.

    Parameters
    ----------
    net
        The encoder.
    batch
        S documents of T tokens.
    cotangent
        What the output's gradient is set to. ``"paper"``: ones, as in the released scripts. The
        output is a LayerNorm's, whose sum does not depend on its input, so those gradients are
        rounding errors. ``"random"``: N(0, 1) from `seed`, which gives real gradients.
    seed
        Of dropout and cotangent.

    Raises
    ------
    BadArgument
        An unknown cotangent, or more tokens than the encoder has positions.
    """
    if cotangent not in COTANGENTS:
        raise BadArgument(f"got cotangent {cotangent!r}, expected one of {', '.join(COTANGENTS)}.")
    if net.config.max_position_embeddings < batch.input_ids.shape[1]:
        raise BadArgument(
            f"got documents of {batch.input_ids.shape[1]} tokens, expected at most "
            f"{net.config.max_position_embeddings}."
        )
    parameters = {name: p for name, p in net.named_parameters() if p.requires_grad}
    gradients = {name: torch.zeros_like(p) for name, p in parameters.items()}
    seen = _Seen()
    inputs = batch.inputs()
    samples = len(batch.input_ids)
    training = net.training
    generator = torch.Generator().manual_seed(seed)
    try:
        with seeded(seed), _hooks(net, seen):
            net.train()
            for start in range(0, samples, _CHUNK):
                part = {name: value[start : start + _CHUNK] for name, value in inputs.items()}
                seen.weight = len(part["input_ids"]) / samples
                output = net(**part).last_hidden_state
                direction = (
                    torch.ones_like(output)
                    if cotangent == "paper"
                    else torch.randn(output.shape, generator=generator)
                )
                found = torch.autograd.grad(
                    output, list(parameters.values()), direction, allow_unused=True
                )
                for name, gradient in zip(parameters, found):
                    if gradient is not None:
                        gradients[name] += gradient
                seen.first = False
    finally:
        net.train(training)
    return Observation(
        net, seen.activations, list(seen.heads.values()), list(seen.attention.values()), gradients
    )


class _Seen:
    """Gathers statistics over the chunks of a batch; means are weighted by the chunks' sizes."""

    def __init__(self) -> None:
        self.first = True
        self.weight = 1.0
        self.activations: list[Tensor] = []
        self.heads: dict[nn.Module, float] = {}
        self.attention: dict[nn.Module, float] = {}

    def activation(self, output: Tensor) -> None:
        if self.first:
            self.activations.append(output[0].detach())

    def add(self, sums: dict[nn.Module, float], module: nn.Module, maximum: Tensor) -> None:
        sums[module] = sums.get(module, 0.0) + self.weight * float(maximum.mean())


@contextmanager
def _hooks(net: FlexiBertModel, seen: _Seen) -> Iterator[None]:
    handles = []

    def hook(module: nn.Module, see: Callable[[nn.Module, Tensor], None]) -> None:
        def call(module: nn.Module, args: Any, output: Tensor) -> None:
            with torch.no_grad():
                see(module, output)

        handles.append(module.register_forward_hook(call))

    def head(module: nn.Module, output: Tensor) -> None:
        seen.add(seen.heads, module, output.amax(1))

    def attention(module: nn.Module, output: Tensor) -> None:
        # A linear transform has no softmax of its own: the released scripts take one of its result.
        soft = output if isinstance(module, nn.Softmax) else output.softmax(-1)
        seen.add(seen.attention, module, soft.amax(1))

    try:
        for layer in net.layers:
            assert isinstance(layer, EncoderLayer)
            hook(layer.feed_forward.activation, lambda _, output: seen.activation(output))
            for projection in layer.mixing.projections():
                hook(projection, head)
            hook(layer.mixing.confidence, attention)
        yield
    finally:
        for handle in handles:
            handle.remove()
