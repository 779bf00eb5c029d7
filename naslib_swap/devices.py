"""Whether a device that a user names can be used here."""

from __future__ import annotations

import torch
from torch import nn

from naslib_swap.errors import BadArgument


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


def usable(device: torch.device | str) -> torch.device:
    """Return a device as torch's, once it is known to work here.

    Raises
    ------
    BadArgument
        If torch does not know it, this machine does not have it, or it holds no values (``meta``).
    """
    error = refusal(str(device))
    if error is not None or torch.device(device).type == "meta":
        why = "it holds no values" if error is None else str(error).strip().split("\n")[0][:80]
        raise BadArgument(
            f"cannot use device={str(device)!r} ({why.rstrip('.')}), expected 'cpu', or 'cuda' "
            "where torch sees a GPU."
        ) from error
    return torch.device(device)


def device_of(net: nn.Module) -> torch.device | None:
    """Return the device of a network's first parameter; None where there is none."""
    tensor = next(net.parameters(), None)
    return tensor.device if tensor is not None else None
