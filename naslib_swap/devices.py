"""Whether a device that a user names can be used here."""

from __future__ import annotations

import torch
from torch import nn


def malformed(device: str) -> Exception | None:
    """What torch says against the name of a device; None where some machine may have it."""
    try:
        torch.device(device)
    except RuntimeError as error:
        return error
    return None


def refusal(device: str) -> Exception | None:
    """What torch says against the device; None where it can be used."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ImportError) as error:
        return error
    return None


def device_of(net: nn.Module) -> torch.device | None:
    """Return the device of a network's first parameter; None where there is none."""
    tensor = next(net.parameters(), None)
    return tensor.device if tensor is not None else None
