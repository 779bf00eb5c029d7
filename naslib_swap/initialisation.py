"""Weight re-initialisation of the SWAP protocol, repeatable from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

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


class StandardNormal:
    """Re-initialisation as in arXiv 2403.04161, section 5.

    Weights of convolutions and linear layers are drawn from N(0, 1), their biases are 0; norm
    layers get weight 1 and bias 0. Other parameters (embeddings, say) stay as they are. Numbers are
    drawn on the CPU in the order of ``net.modules()``, so that every device sees the same weights.

    Raises
    ------
    SwapError
        If the network has no convolution or linear layer: every repeat would be the same; or if a
        layer's weight is computed from other parameters (weight or spectral normalisation).
    """

    def __init__(self, net: nn.Module, seed: int) -> None:
        modules = list(net.modules())
        names = {id(parameter): name for name, parameter in net.named_parameters()}
        self._weighted = [module for module in modules if isinstance(module, _WEIGHTED)]
        self._norms = [module for module in modules if isinstance(module, _NORMS)]
        self._names = names
        self._generator = torch.Generator().manual_seed(seed)
        if not self._weighted:
            raise SwapError(
                f"{type(net).__name__} has no convolution or linear layer, expected at least one "
                "to re-initialise. Score it with repeats=0."
            )
        for module in (*self._weighted, *self._norms):
            for name in ("weight", "bias"):
                tensor = getattr(module, name, None)
                if tensor is not None and id(tensor) not in names:
                    raise SwapError(
                        f"the {name} of a {type(module).__name__} is computed from other "
                        "parameters (weight_norm, spectral_norm or another parametrisation), "
                        "expected a parameter to draw anew. Remove the parametrisation, or score "
                        "with repeats=0."
                    )

    @torch.no_grad()
    def draw(self) -> None:
        """Give the network its next weights, in place."""
        for module in self._weighted:
            self._draw_into(module.weight)
            if module.bias is not None:
                module.bias.zero_()
        for norm in self._norms:
            if norm.weight is not None:
                norm.weight.fill_(1)
            if getattr(norm, "bias", None) is not None:
                norm.bias.zero_()

    @torch.no_grad()
    def draw_stacked(self, repeats: int) -> dict[str, Tensor]:
        """Return the network's next ``repeats`` weights and biases, [repeats, ...] by name.

        They are those that as many calls of :meth:`draw` would give. Use them inside
        :meth:`identity_norms`.
        """
        stacked = {}
        for module in self._weighted:
            weight = module.weight
            stacked[self._names[id(weight)]] = weight.new_empty((repeats, *weight.shape))
            if module.bias is not None:
                bias = module.bias
                stacked[self._names[id(bias)]] = bias.new_zeros((repeats, *bias.shape))
        for repeat in range(repeats):
            for module in self._weighted:
                self._draw_into(stacked[self._names[id(module.weight)]][repeat])
        return stacked

    @contextmanager
    def identity_norms(self) -> Iterator[None]:
        """Norm layers without weight and bias: what 1 and 0 do, without the arithmetic."""
        kept = [dict(norm._parameters) for norm in self._norms]
        try:
            for norm in self._norms:
                for name in norm._parameters:
                    norm._parameters[name] = None
            yield
        finally:
            for norm, parameters in zip(self._norms, kept):
                norm._parameters.update(parameters)

    def _draw_into(self, weight: Tensor) -> None:
        if weight.device.type == "cpu" and weight.dtype == torch.float32:
            weight.normal_(0, 1, generator=self._generator)
        else:
            weight.copy_(torch.randn(weight.shape, generator=self._generator))
