"""The gradient of a layer's weight for every image at once."""

from __future__ import annotations

from typing import Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from naslib_swap.predictors.fixed_statistics import normalised

Layer = Union[nn.Conv2d, nn.Linear, _BatchNorm]


def layers_with_gradients(net: nn.Module) -> list[Layer]:
    """The modules that `weight_gradients` knows: convolutions, linear and batch norm layers."""
    known = (nn.Conv2d, nn.Linear, _BatchNorm)
    return [m for m in net.modules() if isinstance(m, known) and m.weight is not None]


def weight_gradients(layer: Layer, given: Tensor, gradient: Tensor) -> Tensor:
    """d loss / d weight for each image: [S, number of weights].

    Args:
        layer: One of `layers_with_gradients`.
        given: The layer's input, [S, ...].
        gradient: d loss / d output, [S, ...], where images do not mix: the loss is a sum over
            images, and batch norm statistics count as constants.
    """
    if isinstance(layer, nn.Conv2d):
        return _convolution(layer, given, gradient)
    if isinstance(layer, nn.Linear):
        middle = (len(given), -1)
        rows = gradient.reshape(*middle, layer.out_features).transpose(1, 2)
        return (rows @ given.reshape(*middle, layer.in_features)).flatten(1)
    product = gradient * normalised(given, layer.eps)
    return product.flatten(2).sum(2) if product.ndim > 2 else product


def _convolution(layer: nn.Conv2d, given: Tensor, gradient: Tensor) -> Tensor:
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = F.pad(given, layer._reversed_padding_repeated_twice, mode=mode)
    windows = F.unfold(padded, layer.kernel_size, layer.dilation, 0, layer.stride)
    groups = (len(given), layer.groups, -1, windows.shape[-1])
    by_group = gradient.reshape(groups) @ windows.reshape(groups).transpose(2, 3)
    return by_group.flatten(1)


def tangent_kernel(gradients: dict[Layer, Tensor]) -> Tensor:
    """Sum over layers of the inner products of images' gradients: float64 [S, S]."""
    parts = [g @ g.T for g in gradients.values()]
    return torch.stack(parts).double().sum(0)
