"""GraSP: how single weights change the flow of gradients."""

from __future__ import annotations

import re

import torch

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.isolation import isolated
from naslib_swap.predictors.passes.objective import READS
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return the sum over the weights of Conv2d and Linear layers of -w * (H g).

    g is the gradient of the loss for those weights, H g the gradient of g . stop_gradient(g). The
    sign is Suite-Zero's (Abdelfattah et al.), the opposite of GraSP's own order of pruning.

    Raises
    ------
    Unscorable
        If torch has no second derivative of something in the network: fused attention, for one.
    """
    graph = probe.loss(differentiable=True).graph
    layers = [weight for weight, _ in graph]
    with isolated(probe.net, probe.seed):
        flow = torch.stack([(g.detach() * g).sum() for _, g in graph]).sum()
        try:
            products = torch.autograd.grad(flow, layers, retain_graph=True, allow_unused=True)
        except RuntimeError as error:
            if not re.match("derivative for .* is not implemented", str(error)):
                raise
            raise Unscorable(f"GraSP needs second derivatives, but the {error}") from error
    pairs = zip(layers, products)
    return -float(sum((w.detach() * hg).sum() for w, hg in pairs if hg is not None))


PROXY = Proxy(
    name="grasp",
    title="GraSP",
    compute=compute,
    needs=frozenset({"data", "labels", "gradients"}),
    reference=(
        "Wang et al. 2020, arXiv 2002.07376; Abdelfattah et al. 2021, arXiv 2101.08134, equation 1"
    ),
    scale="linear",
    reads=READS,
    passes=frozenset({"forward", "loss_graph"}),
)
