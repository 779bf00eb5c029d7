"""The loss that gradient-based proxies look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from naslib_swap.errors import BadArgument, Unscorable

if TYPE_CHECKING:
    from naslib_swap.predictors.passes.probe import Probe

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "l1": F.l1_loss,
    "mse": F.mse_loss,
}
READS = frozenset({"loss", "targets"})


def loss_of(probe: Probe, output: Tensor, rows: slice = slice(None)) -> Tensor:
    """Return the loss of `output`, which belongs to these rows of the minibatch: a scalar.

    Raises
    ------
    SwapError
        For an unknown loss, or where neither targets nor labels fit the output.

    Notes
    -----
    Settings:

    - ``loss``: one of `LOSSES`. Without it: the cross-entropy, or the L1 loss where the output has
      the shape of the images (an autoencoder).
    - ``targets``: a tensor [S, ...] for tasks whose targets are not labels. Without it: the labels
      for outputs [S, classes]; the images for the L1 loss; for outputs [S, classes, ...] class maps
      drawn from the seed.
    """
    name = probe.settings.get("loss") or _usual_loss(probe, output)
    if name not in LOSSES:
        raise BadArgument(f"unknown loss {name!r}; known losses are {', '.join(LOSSES)}")
    targets = _targets(probe, output, name)[rows]
    if name != "cross_entropy" and targets.shape != output.shape:
        raise Unscorable(
            f"the {name} loss needs targets of the output's shape {tuple(output.shape)}, not "
            f"{tuple(targets.shape)}; give them in settings['targets']"
        )
    if name == "cross_entropy" and not targets.is_floating_point():
        _check_classes(targets, output)
    return LOSSES[name](output, targets)


def _usual_loss(probe: Probe, output: Tensor) -> str:
    dense = output.ndim > 2 and output.shape[1:] == probe.images.shape[1:]
    return "l1" if dense else "cross_entropy"


def _targets(probe: Probe, output: Tensor, loss: str) -> Tensor:
    given = probe.settings.get("targets")
    if given is not None:
        return torch.as_tensor(given).to(probe.device)
    if output.ndim == 2:
        return probe.labels
    if loss != "cross_entropy":
        return probe.images
    generator = torch.Generator().manual_seed(probe.seed)
    shape = (len(probe.images), *output.shape[2:])
    return torch.randint(output.shape[1], shape, generator=generator).to(probe.device)


def _check_classes(targets: Tensor, output: Tensor) -> None:
    lowest, highest = int(targets.min()), int(targets.max())
    if lowest < 0 or highest >= output.shape[1]:
        raise Unscorable(
            f"labels go from {lowest} to {highest}, but the network has {output.shape[1]} outputs; "
            "build it with as many as there are classes"
        )
