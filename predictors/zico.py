"""ZiCo: how steady gradients are from minibatch to minibatch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.forward import logits
from naslib_swap.predictors.passes.isolation import isolated, run
from naslib_swap.predictors.passes.layers import weights
from naslib_swap.predictors.passes.objective import READS, loss_of
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy

BATCHES = 2


def compute(probe: Probe) -> float:
    """Return the sum over Conv2d and Linear layers of log sum_w mean|g_w| / std(g_w).

    Mean and (population) standard deviation go over the minibatches; weights whose gradient is the
    same on all of them are left out, as are layers that the loss does not reach. The paper's
    equation has the deviation of |g_w|; the authors' code, which gave its results, that of g_w.

    Raises
    ------
    Unscorable
        If the minibatch does not divide into that many parts.

    Notes
    -----
    Settings: ``zico_batches``, the number of equal parts that the minibatch is cut into (2, as in
    the paper).
    """
    parts = int(probe.settings.get("zico_batches", BATCHES))
    samples = len(probe.images)
    if parts < 2 or samples < parts or samples % parts:
        raise Unscorable(f"{samples} images cannot be cut into {parts} equal minibatches for ZiCo")
    size = samples // parts
    layers = [_gradients(probe, slice(start, start + size)) for start in range(0, samples, size)]
    found = (_steadiness(torch.stack(layer)) for layer in zip(*layers) if layer[0] is not None)
    return sum(math.log(ratio) for ratio in found if ratio > 0)


def _gradients(probe: Probe, rows: slice) -> list[Tensor | None]:
    layers = weights(probe.net)
    with isolated(probe.net, probe.seed):
        output = logits(run(probe.net, probe.images[rows], channels_last=True), probe.num_classes)
        loss = loss_of(probe, output, rows)
        return list(torch.autograd.grad(loss, layers, allow_unused=True))


def _steadiness(gradients: Tensor) -> float:
    """Return the sum over weights of mean|g| / std(g): [minibatches, ...] -> a number."""
    # Some ten times faster than `std` over so short a dimension.
    deviation = (gradients - gradients.mean(0)).pow_(2).mean(0).sqrt_()
    ratio = gradients.abs().mean(0) / deviation
    return float(ratio.masked_fill_(deviation == 0, 0).sum())


PROXY = Proxy(
    name="zico",
    title="ZiCo",
    compute=compute,
    needs=frozenset({"data", "labels", "gradients"}),
    reference="Li et al. 2023, arXiv 2301.11300",
    scale="natural logarithm",
    reads=READS | {"zico_batches"},
)
