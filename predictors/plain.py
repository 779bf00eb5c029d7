"""Plain: SNIP with its signs."""

from __future__ import annotations

from naslib_swap.predictors.passes.objective import READS
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return the sum over the weights of Conv2d and Linear layers of dL/dw * w, signed.

    Weights in front of batch normalisation add next to nothing, since the loss does not depend on
    their scale: what remains comes from the classifier and from epsilon.
    """
    return float(sum((weight * g).sum() for weight, g in probe.loss().gradients))


PROXY = Proxy(
    name="plain",
    title="Plain",
    compute=compute,
    needs=frozenset({"data", "labels", "gradients"}),
    reference="Mozer and Smolensky 1989; Abdelfattah et al. 2021, arXiv 2101.08134",
    scale="linear",
    reads=READS,
    passes=frozenset({"forward", "loss"}),
)
