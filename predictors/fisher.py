"""Fisher: what removing single channels would do to the loss."""

from __future__ import annotations

from naslib_swap.predictors.passes.objective import READS
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return the sum over channels of Delta_c * n_c, n_c = weights that feed channel c.

    Delta_c = 1 / (2 S) sum_s (sum_positions z * dL/dz)^2, with z the output of a Conv2d or Linear
    layer, bias included. The factor n_c is Suite-Zero's: its pruning code gives every weight the
    importance of its channel before summing. A layer called k times counts k times.
    """
    channels = probe.loss().channels
    return float(sum(delta.sum() * layer.weight[0].numel() for layer, delta in channels))


PROXY = Proxy(
    name="fisher",
    title="Fisher",
    compute=compute,
    needs=frozenset({"data", "labels", "gradients"}),
    reference=(
        "Theis et al. 2018, arXiv 1801.05787; Turner et al. 2020, arXiv 1906.04113; "
        "Abdelfattah et al. 2021, arXiv 2101.08134, equation 3"
    ),
    scale="linear",
    reads=READS,
    passes=frozenset({"forward", "loss"}),
    size_weighable=True,
)
