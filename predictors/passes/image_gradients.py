"""The gradient of a layer's weight for every image at once."""

from __future__ import annotations

from typing import Union

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight
from torch.nn.modules.batchnorm import _BatchNorm

from naslib_swap.predictors.passes.fixed_statistics import normalised

Layer = Union[nn.Conv2d, nn.Linear, _BatchNorm]


def layers_with_gradients(net: nn.Module) -> list[Layer]:
    """List the modules that `weight_gradients` knows: convolution, linear, batch norm layers."""
    known = (nn.Conv2d, nn.Linear, _BatchNorm)
    return [m for m in net.modules() if isinstance(m, known) and m.weight is not None]


def weight_gradients(layer: Layer, given: Tensor, gradient: Tensor) -> Tensor:
    """Return d loss / d weight for each image: [S, number of weights].

    Parameters
    ----------
    layer
        One of `layers_with_gradients`.
    given
        The layer's input, [S, ...].
    gradient
        d loss / d output, [S, ...], where images do not mix: the loss is a sum over images, and
        batch norm statistics count as constants.
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
    if _is_pointwise(layer):
        return _pointwise(given, gradient)
    # Images become groups of one convolution, whose weight gradient then keeps them apart.
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = F.pad(given, layer._reversed_padding_repeated_twice, mode=mode)
    images, channels = gradient.shape[:2]
    rows = conv2d_weight(
        padded.reshape(1, -1, *padded.shape[2:]),
        (images * channels, *layer.weight.shape[1:]),
        gradient.reshape(1, -1, *gradient.shape[2:]),
        stride=layer.stride,
        dilation=layer.dilation,
        groups=images * layer.groups,
    )
    return rows.reshape(images, -1)


def _is_pointwise(layer: nn.Conv2d) -> bool:
    ones = (*layer.kernel_size, *layer.stride, layer.groups)
    return all(one == 1 for one in ones) and layer.padding in ((0, 0), "valid", "same")


def _pointwise(given: Tensor, gradient: Tensor) -> Tensor:
    """Compute one product per image over its positions: faster than a convolution."""
    return (gradient.flatten(2) @ given.flatten(2).transpose(1, 2)).flatten(1)


def inner_products(gradients: Tensor) -> Tensor:
    """Return inner products of images' gradients: [S, number of weights] -> float64 [S, S]."""
    return (gradients @ gradients.T).double()
