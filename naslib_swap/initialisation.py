"""Weight re-initialisation of the SWAP protocol, repeatable from a seed."""

from __future__ import annotations

import torch
from torch import nn

from naslib_swap.errors import SwapError

_WEIGHTED = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Linear,
)
_NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
)


def standard_normal_(net: nn.Module, generator: torch.Generator) -> None:
    """Re-initialise in place as in arXiv 2403.04161, section 5.

    Weights of convolutions and linear layers are drawn from N(0, 1), their biases are 0; norm
    layers get weight 1 and bias 0. Other parameters (embeddings, say) stay as they are. Numbers are
    drawn on the CPU in the order of ``net.modules()``, so that every device sees the same weights.

    Raises
    ------
    SwapError
        If the network has no convolution or linear layer: every repeat would be the same.
    """
    drawn = 0
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, _WEIGHTED):
                weight = module.weight
                # A direct draw where it lands, unless the weight lives elsewhere.
                if weight.device.type == "cpu" and weight.dtype == torch.float32:
                    weight.normal_(0, 1, generator=generator)
                else:
                    weight.copy_(torch.randn(weight.shape, generator=generator))
                if module.bias is not None:
                    module.bias.zero_()
                drawn += 1
            elif isinstance(module, _NORMS):
                if module.weight is not None:
                    module.weight.fill_(1)
                if getattr(module, "bias", None) is not None:
                    module.bias.zero_()
    if not drawn:
        raise SwapError(
            f"{type(net).__name__} has no convolution or linear layer, expected at least one to "
            "re-initialise. Score it with repeats=0."
        )
