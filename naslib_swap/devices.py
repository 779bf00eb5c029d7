"""Whether a device that a user names can be used here."""

from __future__ import annotations

import torch
from torch import nn

from naslib_swap.errors import BadArgument


def usable(device: torch.device | str, *, here: bool = True) -> torch.device:
    """Return a device as torch's, once it is known to work.

    Parameters
    ----------
    device
        What a user named.
    here
        Whether this machine must have it; otherwise some machine may.

    Raises
    ------
    BadArgument
        If torch does not know it, this machine does not have it, or it holds no values (``meta``).
    """
    try:
        found = torch.device(device)
        if here:
            torch.empty(0, device=found)
        if found.type == "meta":
            raise RuntimeError("it holds no values")
    except (RuntimeError, AssertionError, ImportError) as error:
        why = str(error).strip().split("\n")[0].rstrip(".")
        raise BadArgument(
            f"cannot use the device {str(device)!r}: {why}. Expected cpu, or cuda where there is a "
            "GPU and a PyTorch built for it."
        ) from error
    return found


def device_of(net: nn.Module) -> torch.device | None:
    """Return the device of a network's first parameter; None where there is none."""
    tensor = next(net.parameters(), None)
    return tensor.device if tensor is not None else None
