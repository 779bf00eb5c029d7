"""The Jacobian pass, which Jacov and EPE-NAS share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.isolation import isolated

if TYPE_CHECKING:
    from naslib_swap.predictors.passes.probe import Probe


def jacobian_pass(probe: Probe) -> Tensor:
    """Return d (sum of all outputs) / d images, one row per image: [S, values of an image].

    In train mode batch normalisation couples the images, so a row is not the gradient of its own
    image's outputs alone; the published implementations do the same.

    Raises
    ------
    Unscorable
        If the inputs are not floating-point numbers, or the output does not depend on them.
    """
    forward = probe.forward()
    if not forward.images.requires_grad:
        raise Unscorable(
            f"the Jacobian needs floating-point inputs, not {forward.images.dtype}; it is not "
            "defined for tokens"
        )
    with isolated(probe.net, probe.seed):
        (jacobian,) = torch.autograd.grad(
            forward.output.sum(), forward.images, retain_graph=True, allow_unused=True
        )
    if jacobian is None:
        raise Unscorable("the output does not depend on the images: no path joins them")
    return jacobian.flatten(1)
