"""Gaussian noise in place of images, for proxies that look at no data."""

from __future__ import annotations

import torch
from torch import Tensor

from naslib_swap.predictors.passes.probe import Probe


def noise(probe: Probe, samples: int, generator: torch.Generator) -> Tensor:
    """Draw N(0, 1) in the shape and type of the probe's images: [samples, ...]."""
    images = probe.images
    return torch.randn((samples, *images.shape[1:]), generator=generator).to(images)
