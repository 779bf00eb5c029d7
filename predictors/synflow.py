"""SynFlow: the flow of a constant signal through the absolute weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.layers import weights
from naslib_swap.predictors.passes.ones import gradients_of_ones
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return log sum_w w * dR/dw, R = sum of the outputs for one image of ones.

    All parameters and buffers are taken by absolute value in float64, batch normalisation (1d, 2d)
    is left out, and the sum goes over the weights of Conv2d and Linear layers. Suite-Zero stores
    this logarithm too, while NASLib's bare measure gives the flow itself, which spans dozens of
    orders of magnitude.

    Raises
    ------
    Unscorable
        If the flow is 0: nothing connects the image with the output, or a final tanh or sigmoid
        saturates, as in the decoders of TransNAS-Bench-101.
    """
    with _without_normalisation(probe.net):
        pairs = gradients_of_ones(probe, weights(probe.net), train=True)
    flow = float(sum((w * g).abs().sum() for w, g in pairs))
    if flow == 0:
        raise Unscorable(
            "the flow is 0: no path of non-zero weights joins the image and the output, or the "
            "output saturates (a final tanh or sigmoid)"
        )
    return math.log(flow)


@contextmanager
def _without_normalisation(net: nn.Module) -> Iterator[None]:
    """Let BatchNorm1d and BatchNorm2d modules pass their input on."""
    norms = [m for m in net.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    own = [vars(norm).get("forward") for norm in norms]
    try:
        for norm in norms:
            norm.forward = _pass_on  # type: ignore[assignment,method-assign]
        yield
    finally:
        for norm, forward in zip(norms, own):
            del norm.forward
            if forward is not None:
                norm.forward = forward  # type: ignore[method-assign]


def _pass_on(x: Tensor) -> Tensor:
    return x


PROXY = Proxy(
    name="synflow",
    title="SynFlow",
    compute=compute,
    needs=frozenset({"gradients"}),
    reference=(
        "Tanaka et al. 2020, arXiv 2006.05467; "
        "Abdelfattah et al. 2021, arXiv 2101.08134, equation 1"
    ),
    scale="natural logarithm",
)
