"""SNIP: how much the loss depends on single weights being there."""

from __future__ import annotations

from naslib_swap.predictors.passes.objective import READS
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return the sum over the weights of Conv2d and Linear layers of |dL/dw * w|.

    It equals the sum of |dL/dc| for masks c = 1 on the weights, the form in which SNIP is defined.
    """
    return float(sum((weight * g).abs().sum() for weight, g in probe.loss().gradients))


PROXY = Proxy(
    name="snip",
    title="SNIP",
    compute=compute,
    needs=frozenset({"data", "labels", "gradients"}),
    reference=(
        "Lee et al. 2019, arXiv 1810.02340; Abdelfattah et al. 2021, arXiv 2101.08134, equation 1"
    ),
    scale="linear",
    reads=READS,
    passes=frozenset({"forward", "loss"}),
    size_weighable=True,
)
