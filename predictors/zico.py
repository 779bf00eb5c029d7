"""ZiCo: how steady gradients are from minibatch to minibatch."""

from __future__ import annotations

import math

from torch import Tensor

from naslib_swap.predictors.passes.minibatch_gradients import READS, minibatch_gradients
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


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
    layers = minibatch_gradients(probe, "ZiCo")
    found = (_steadiness(layer) for layer in layers if layer is not None)
    return sum(math.log(ratio) for ratio in found if ratio > 0)


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
    reads=READS,
)
