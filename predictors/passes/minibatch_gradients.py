"""The gradients of the loss on the equal parts of a minibatch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.forward import logits
from naslib_swap.predictors.passes.isolation import isolated, run
from naslib_swap.predictors.passes.layers import weights
from naslib_swap.predictors.passes.objective import READS as _LOSS
from naslib_swap.predictors.passes.objective import loss_of
from naslib_swap.predictors.passes.probe import Probe

BATCHES = 2
READS = _LOSS | {"zico_batches"}


def minibatch_gradients(probe: Probe, title: str) -> Iterator[Tensor | None]:
    """Give d loss / d weight of every Conv2d and Linear layer, [parts, ...]; None if unreached.

    `title` names the proxy in the error.

    Raises
    ------
    Unscorable
        If the minibatch does not divide into that many parts.

    Notes
    -----
    Settings: ``zico_batches``, the number of equal parts that the minibatch is cut into (2).
    """
    parts = int(probe.settings.get("zico_batches", BATCHES))
    samples = len(probe.images)
    if parts < 2 or samples < parts or samples % parts:
        raise Unscorable(
            f"{samples} images cannot be cut into {parts} equal minibatches for {title}"
        )
    size = samples // parts
    found = [_gradients(probe, slice(start, start + size)) for start in range(0, samples, size)]
    return (None if layer[0] is None else torch.stack(layer) for layer in zip(*found))


def _gradients(probe: Probe, rows: slice) -> list[Tensor | None]:
    layers = weights(probe.net)
    with isolated(probe.net, probe.seed):
        output = logits(run(probe.net, probe.images[rows], channels_last=True), probe.num_classes)
        loss = loss_of(probe, output, rows)
        return list(torch.autograd.grad(loss, layers, allow_unused=True))
