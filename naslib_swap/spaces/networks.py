"""What the networks of all spaces share: choosing a variant, counting parameters."""

from __future__ import annotations

import torch
from torch import nn

from naslib_swap.errors import SwapError
from naslib_swap.spaces.protocol import Arch, SearchSpace


def chosen_variant(variant: str | None, variants: tuple[str, ...], space: str) -> str:
    """Return the variant asked for, the first one when none is; SwapError when there is none."""
    if variant is None:
        return variants[0]
    if variant not in variants:
        raise SwapError(
            f"{space} has no variant {variant!r}: expected one of {', '.join(variants)}"
        )
    return variant


def check_sizes(num_classes: int, in_channels: int) -> None:
    """Refuse networks without outputs or without inputs."""
    for what, value in (("num_classes", num_classes), ("in_channels", in_channels)):
        if value < 1:
            raise SwapError(f"{what} is {value}: expected at least 1")


def count_parameters(net: nn.Module) -> int:
    """Count the elements of all parameters, shared ones once."""
    return sum(parameter.numel() for parameter in net.parameters())


def parameters_on_meta(
    space: SearchSpace, arch: Arch, variant: str | None, num_classes: int, in_channels: int
) -> int:
    """Count the parameters of a network built on the meta device: no memory, no random numbers."""
    with torch.device("meta"):
        net = space.build(arch, variant=variant, num_classes=num_classes, in_channels=in_channels)
    return count_parameters(net)
