"""MeCo: how far from dependent the channels of each feature map are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from naslib_swap.errors import BadArgument, Unscorable
from naslib_swap.predictors.passes.isolation import isolated, run
from naslib_swap.predictors.passes.noise import noise
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy

DRAWS = 5


def compute(probe: Probe) -> float:
    """Return the smallest eigenvalues of channels' correlations, summed; the mean over inputs.

    The sum goes over the outputs of all modules, those that hold others included, for one image of
    Gaussian noise: [1, channels, H, W] gives Pearson's correlations between channels over
    positions, [1, tokens, features] those between features over tokens. A constant channel has
    correlation 0 with all, itself included. Outputs that are not finite count 0.

    Raises
    ------
    Unscorable
        If no module gave such an output.

    Notes
    -----
    Settings: ``meco_draws``, how many images the mean goes over (5), each a batch of its own.

    The network runs in train mode with its own weights, on N(0, 1) of the images' shape (the
    authors' package has 64 x 64 pixels always). Others found one image on a batch of two unstable;
    here, on NAS-Bench-201, seeds of one image agree (docs/proxies.md). This is MeCo, not MeCo_opt,
    which is one thing in the paper and another in the authors' code.
    """
    draws = probe.settings.get("meco_draws", DRAWS)
    if not isinstance(draws, int) or draws < 1:
        raise BadArgument(f"got meco_draws {draws!r}, expected a whole number of at least 1.")
    images = noise(probe, draws, torch.Generator().manual_seed(probe.seed))
    return sum(_of_one_image(probe, images[i : i + 1]) for i in range(draws)) / draws


def smallest_eigenvalues(maps: Tensor) -> Tensor:
    """Return the smallest eigenvalue of the rows' correlations: [N, rows, columns] -> [N].

    Constant rows have correlation 0 with all rows; maps that are not finite give 0.
    """
    if maps.shape[1] >= maps.shape[2]:  # centred, they are dependent
        return maps.new_zeros(len(maps))
    maps = maps.double()
    finite = maps.isfinite().flatten(1).all(1)
    centred = maps.masked_fill(~finite[:, None, None], 0)
    centred = centred - centred.mean(2, keepdim=True)
    norms = centred.norm(dim=2, keepdim=True)
    # Rounding leaves constant rows a little apart from their mean.
    largest = maps.abs().amax(2, keepdim=True).nan_to_num(0, 0, 0)
    constant = norms <= largest * maps.shape[2] * torch.finfo(maps.dtype).eps
    rows = (centred / norms.masked_fill(constant, 1)).masked_fill(constant, 0)
    return torch.linalg.eigvalsh(rows @ rows.mT)[:, 0].masked_fill(~finite, 0)


def _of_one_image(probe: Probe, image: Tensor) -> float:
    maps: dict[torch.Size, list[Tensor]] = {}

    def note(module: Any, given: Any, output: Any) -> None:
        value = output[0] if isinstance(output, (tuple, list)) and output else output
        if not isinstance(value, Tensor) or value.ndim < 3 or not value.is_floating_point():
            return
        first = value[0].detach()
        rows = first.flatten(1) if value.ndim > 3 else first.T
        maps.setdefault(rows.shape, []).append(rows.clone())  # may be written into

    handles = [module.register_forward_hook(note) for module in probe.net.modules()]
    try:
        with isolated(probe.net, probe.seed), torch.no_grad():
            run(probe.net, image)
    finally:
        for handle in handles:
            handle.remove()
    if not maps:
        raise Unscorable(
            f"no module of {type(probe.net).__name__} gave [S, channels, height, width] or "
            "[S, tokens, features]; MeCo looks at the correlations of channels"
        )
    return sum(float(smallest_eigenvalues(torch.stack(m)).sum()) for m in maps.values())


PROXY = Proxy(
    name="meco",
    title="MeCo",
    compute=compute,
    needs=frozenset(),
    reference="Jiang et al. 2023, MeCo: Zero-Shot NAS with One Data and Single Forward Pass",
    scale="eigenvalues, summed over modules",
    reads=frozenset({"meco_draws"}),
    by_default=False,
)
