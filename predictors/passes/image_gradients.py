"""The gradient of a layer's weight for every image at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Callable, TypeVar, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.grad import conv2d_weight
from torch.nn.modules.batchnorm import _BatchNorm

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.fixed_statistics import FixedStatistics, normalised
from naslib_swap.predictors.passes.forward import logits
from naslib_swap.predictors.passes.isolation import isolated, run
from naslib_swap.predictors.passes.probe import Probe

Layer = Union[nn.Conv2d, nn.Linear, _BatchNorm]
T = TypeVar("T")


def for_each_layer(
    probe: Probe,
    layers: Iterable[Layer],
    objective: Callable[[Tensor], Tensor],
    look: Callable[[Tensor], T],
    *,
    otherwise: str,
) -> dict[Layer, T]:
    """Look at the gradient of each layer's weight for every image; one pass back is enough.

    Batch statistics count as constants, so that no image has a part in another's output.

    Parameters
    ----------
    probe
        The network and its images.
    layers
        Some of `layers_with_gradients`.
    objective
        Of the network's logits: a scalar that is a sum over images.
    look
        Gets d objective / d weight, [S, number of weights]; they are not kept.
    otherwise
        What to set for networks that this cannot do, for the error.

    Returns
    -------
    dict
        What `look` returned, for the layers that the objective reaches.

    Raises
    ------
    Unscorable
        For inputs that are not floating-point numbers, layers that do not keep one row per image,
        or an objective that reaches none of the layers.
    """
    images = probe.images.clone()
    if not images.is_floating_point():
        raise Unscorable(
            f"gradients for each image need floating-point inputs, not {images.dtype}; {otherwise}"
        )
    images.requires_grad_()
    # Where a layer's gradient will pass, noted before an activation can overwrite its output.
    calls: list[tuple[Layer, Tensor, Node]] = []

    def note(layer: Any, given: Any, output: Tensor) -> None:
        if output.grad_fn is not None:
            calls.append((layer, given[0].detach(), output.grad_fn))

    handles = [layer.register_forward_hook(note) for layer in layers]
    waiting = _Waiting(look)
    try:
        with isolated(probe.net, probe.seed):
            with FixedStatistics():
                output = logits(run(probe.net, images, channels_last=True), probe.num_classes)
                total = objective(output)
            waiting.calls.update(layer for layer, _, _ in calls)
            for layer, given, node in calls:
                _check(layer, given, images, otherwise)
                handles.append(node.register_prehook(waiting.hook(layer, given)))
            torch.autograd.grad(total, images, allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
    found = waiting.finish()
    if not found:
        raise Unscorable(
            "the output does not depend on the images by way of these layers: no path joins them"
        )
    return found


def _check(layer: Layer, given: Tensor, images: Tensor, otherwise: str) -> None:
    if len(given) != len(images):
        raise Unscorable(
            f"a layer got {len(given)} rows for {len(images)} images; {otherwise} for networks "
            "that fold other dimensions into the batch"
        )


class _Waiting:
    """Adds up the shares of a layer's calls, and lets it be looked at after the last one."""

    def __init__(self, look: Callable[[Tensor], Any]) -> None:
        self.calls: Counter[Layer] = Counter()
        self._look = look
        self._rows: dict[Layer, Tensor] = {}
        self._found: dict[Layer, Any] = {}

    def hook(self, layer: Layer, given: Tensor) -> Callable[[Any], None]:
        def add(gradients: Any) -> None:
            with torch.no_grad():
                share = weight_gradients(layer, given, gradients[0])
                rows = self._rows
                rows[layer] = rows[layer] + share if layer in rows else share
                self.calls[layer] -= 1
                if not self.calls[layer]:
                    self._found[layer] = self._look(rows.pop(layer))

        return add

    def finish(self) -> dict[Layer, Any]:
        """Look at layers of which some calls were not reached, too."""
        with torch.no_grad():
            self._found.update((layer, self._look(rows)) for layer, rows in self._rows.items())
        return self._found


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
