"""What the networks of all spaces share: choosing a variant, counting parameters."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from naslib_swap.errors import BadArgument


def chosen_variant(variant: str | None, variants: tuple[str, ...], space: str) -> str:
    """Return the variant of that name, the first one for None; BadArgument on an unknown name."""
    if variant is None:
        return variants[0]
    if variant not in variants:
        raise BadArgument(
            f"{space} has no variant {variant!r}: expected one of {', '.join(variants)}"
        )
    return variant


def check_sizes(num_classes: int, in_channels: int) -> None:
    """Refuse networks without outputs or without inputs."""
    for what, value in (("num_classes", num_classes), ("in_channels", in_channels)):
        if value < 1:
            raise BadArgument(f"{what} is {value}: expected at least 1")


def on_meta() -> AbstractContextManager[object]:
    """Build on the meta device inside: no memory for weights, no random numbers drawn."""
    return torch.device("meta")
