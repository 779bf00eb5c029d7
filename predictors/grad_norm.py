"""GradNorm: the norm of the loss's gradient."""

from __future__ import annotations

from naslib_swap.predictors.passes.objective import READS
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return the sum over Conv2d and Linear layers of the Euclidean norm of dL/dW, not clipped."""
    return float(sum(gradient.norm() for _, gradient in probe.loss().gradients))


PROXY = Proxy(
    name="grad_norm",
    title="GradNorm",
    compute=compute,
    needs=frozenset({"data", "labels", "gradients"}),
    reference="Abdelfattah et al. 2021, arXiv 2101.08134",
    scale="linear",
    reads=READS,
    passes=frozenset({"forward", "loss"}),
    size_weighable=True,
)
