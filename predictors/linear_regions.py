"""Number of linear regions: how many ReLU patterns small inputs take."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap.activations import Kind, recording
from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.forward import RECTIFIERS
from naslib_swap.predictors.passes.isolation import isolated, run, scratch_buffers
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Measurement, Proxy

SAMPLES = 1000
SIZE = 4
WIDTH = 1 / 16


def compute(probe: Probe) -> Measurement:
    """Return the number of distinct activation patterns that small crops of the images take.

    A pattern is the joint state, active or not, of all ReLU values for one input. At full width
    every input has its own pattern and the count says nothing, so the network is thinned, as TE-NAS
    does with one channel: only the first sixteenth of each convolution's channels stay alive, and
    inputs are crops of a few pixels. Saturation is the count over the number of crops.

    Raises
    ------
    Unscorable
        If the images are smaller than the crops, or no ReLU ran on them.

    Notes
    -----
    Settings:

    - ``regions_samples``: the number of crops (1000).
    - ``regions_size``: their height and width (4; TE-NAS has 3, which some networks that halve the
      resolution twice cannot take).
    - ``regions_width``: the share of each convolution's channels that stay alive (1/16).
    """
    samples = int(probe.settings.get("regions_samples", SAMPLES))
    size = int(probe.settings.get("regions_size", SIZE))
    width = float(probe.settings.get("regions_width", WIDTH))
    crops = _crops(probe.images, samples, size, torch.Generator().manual_seed(probe.seed))
    state = {**_thinned(probe.net, width), **scratch_buffers(probe.net)}
    patterns: list[np.ndarray] = []

    def note(output: Tensor, kind: Kind) -> bool:
        if kind.name in RECTIFIERS and len(output) == samples:
            patterns.append(np.packbits((output > 0).flatten(1).cpu().numpy(), axis=1))
            return True
        return False

    with isolated(probe.net, probe.seed), torch.no_grad(), recording(probe.net, note):
        run(probe.net, crops, state, channels_last=True)
    if not patterns:
        raise Unscorable("no ReLU ran with one row per image; linear regions are regions of ReLUs")
    regions = _distinct_rows(np.concatenate(patterns, axis=1))
    return Measurement(regions, regions / samples)


def _crops(images: Tensor, samples: int, size: int, generator: torch.Generator) -> Tensor:
    """Cut crops at random places of random images: [S, ..., H, W] -> [samples, ..., size, size]."""
    room = [edge - size + 1 for edge in images.shape[-2:]]
    if images.ndim < 4 or min(room) < 1:
        raise Unscorable(
            f"images of shape {tuple(images.shape[1:])} hold no crops of {size} by {size} pixels; "
            "linear regions need images at least that large"
        )
    draws = (
        torch.randint(high, (samples,), generator=generator).tolist()
        for high in (len(images), *room)
    )
    return torch.stack(
        [images[i, ..., top : top + size, left : left + size] for i, top, left in zip(*draws)]
    )


def _thinned(net: nn.Module, width: float) -> dict[str, Tensor]:
    """Return the convolutions' weights by name, all output channels but the first few at 0."""
    thinned = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach().clone()
            weight[max(1, round(len(weight) * width)) :] = 0
            thinned[f"{name}.weight" if name else "weight"] = weight
    return thinned


def _distinct_rows(rows: np.ndarray) -> int:
    rows = np.ascontiguousarray(rows)
    return len(np.unique(rows.view([("row", np.void, rows.shape[1])])))


PROXY = Proxy(
    name="linear_regions",
    title="Linear regions",
    compute=compute,
    needs=frozenset({"data"}),
    reference="Chen et al. 2021 (TE-NAS), arXiv 2102.11535, section 3.1.2; Xiong et al. 2020",
    scale="regions",
    reads=frozenset({"regions_samples", "regions_size", "regions_width"}),
    size_weighable=True,
)
