"""Condition number of the neural tangent kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from naslib_swap.errors import BadArgument, Unscorable
from naslib_swap.predictors.passes.forward import logits
from naslib_swap.predictors.passes.image_gradients import (
    for_each_layer,
    inner_products,
    layers_with_gradients,
)
from naslib_swap.predictors.passes.isolation import isolated, run
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy

STATISTICS = ("fixed", "batch")


def compute(probe: Probe) -> float:
    """Return the largest over the smallest eigenvalue of K, K_ij = <df_i / dW, df_j / dW>.

    f_i is the sum of the network's outputs for image i, W the weights of convolutions, linear and
    batch norm layers. Lower is better.

    Raises
    ------
    Unscorable
        If the kernel is singular, or a layer does not keep one row per image.

    Notes
    -----
    Settings:

    - ``ntk_statistics``: ``"fixed"`` takes the batch's mean and variance as constants in gradients,
      so that f_i depends on image i alone and one backward pass is enough. ``"batch"`` goes back
      through them, image by image, as TE-NAS's code does: about five times the work at 16 images.
      docs/proxies.md compares the two.
    """
    how = probe.settings.get("ntk_statistics", STATISTICS[0])
    if how not in STATISTICS:
        raise BadArgument(
            f"unknown ntk_statistics {how!r}; expected one of {', '.join(STATISTICS)}"
        )
    kernel = _kernel_by_batch(probe) if how == "batch" else _kernel_at_once(probe)
    eigenvalues = torch.linalg.eigvalsh(kernel)
    if eigenvalues[0] <= len(kernel) * torch.finfo(kernel.dtype).eps * eigenvalues[-1]:
        raise Unscorable(
            "the tangent kernel is singular: at least two images have the same gradients to within "
            "rounding"
        )
    return float(eigenvalues[-1] / eigenvalues[0])


def _kernel_at_once(probe: Probe) -> Tensor:
    kernels = for_each_layer(
        probe,
        layers_with_gradients(probe.net),
        torch.sum,
        inner_products,
        otherwise="set ntk_statistics to 'batch'",
    )
    return torch.stack(list(kernels.values())).sum(0)


def _kernel_by_batch(probe: Probe) -> Tensor:
    layers = layers_with_gradients(probe.net)
    weights = [layer.weight for layer in layers]
    rows = []
    with isolated(probe.net, probe.seed):
        for single in _outputs(probe, probe.images).flatten(1).sum(1):
            found = torch.autograd.grad(single, weights, retain_graph=True, allow_unused=True)
            rows.append([None if g is None else g.flatten() for g in found])
    columns = [torch.stack(column) for column in zip(*rows) if column[0] is not None]
    return torch.stack([inner_products(column) for column in columns]).sum(0)


def _outputs(probe: Probe, images: Tensor) -> Tensor:
    return logits(run(probe.net, images, channels_last=True), probe.num_classes)


PROXY = Proxy(
    name="ntk",
    title="NTK",
    compute=compute,
    needs=frozenset({"data", "gradients"}),
    higher_is_better=False,
    reference="Chen et al. 2021 (TE-NAS), arXiv 2102.11535, section 3.1.1",
    scale="ratio",
    reads=frozenset({"ntk_statistics"}),
)
