"""The number of multiply-accumulates."""

from __future__ import annotations

import torch

from naslib_swap.predictors.passes.isolation import isolated, run
from naslib_swap.predictors.passes.multiply_accumulates import MultiplyAccumulates
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy

# One image is not enough for batch normalisation over a 1x1 map in train mode.
IMAGES = 2


def macs(probe: Probe) -> float:
    """Return the multiply-accumulates of one image, in millions; counted once for all proxies.

    By formula where the space has one, else by a forward pass.

    Convolutions, matrix products and attention count. NASLib's tensorwatch also counts one
    multiply-accumulate as one, but adds pooling, activation and normalisation.
    """
    return probe.once("flops", lambda: _count(probe))


def _count(probe: Probe) -> float:
    shape = tuple(probe.minibatch.images.shape[1:])
    known = None if probe.known is None else probe.known.multiply_accumulates(shape)
    if known is not None:
        return known / 1e6
    images = probe.images[:IMAGES]
    with isolated(probe.net, probe.seed), torch.no_grad(), MultiplyAccumulates() as seen:
        run(probe.net, images)
    return seen.count / len(images) / 1e6


PROXY = Proxy(
    name="flops",
    title="FLOPs",
    compute=macs,
    reference="Ning et al. 2021, arXiv 2008.03064; NAS-Bench-Suite-Zero, arXiv 2210.03230",
    scale="millions of multiply-accumulates per image",
    size_weighable=True,
)
