"""Whether a device that a user names can be used here."""

from __future__ import annotations

import torch


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
