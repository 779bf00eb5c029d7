"""The gradient of single entries of parameters, for every image and output at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional, Union

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.forward import logits
from naslib_swap.predictors.passes.isolation import run

_Convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_Known = (*_Convolution, nn.Linear, _BatchNorm, nn.GroupNorm, nn.LayerNorm)
Layer = Union[nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, _BatchNorm, nn.GroupNorm, nn.LayerNorm]


class _Entry(NamedTuple):
    """One entry of a layer's weight or bias, and its column in the result."""

    column: int
    of_weight: bool
    place: tuple[int, ...]


class _Share(NamedTuple):
    """An entry's gradient: the sum of the output's gradient there times a factor, by image."""

    column: int
    there: Any
    factor: Optional[Tensor]


def entry_gradients(
    net: nn.Module,
    images: Tensor,
    state: Mapping[str, Tensor],
    entries: Mapping[str, Sequence[int]],
    directions: Callable[[Tensor], Tensor],
    num_classes: int | None = None,
) -> Tensor:
    """Return the gradients of directions in logit space: [K, S, entries].

    One backward pass through the activations for each direction gives all images and entries;
    no gradient of a whole weight is computed. Call it in eval mode, inside
    `naslib_swap.predictors.passes.isolation.isolated`, where images do not mix.

    Parameters
    ----------
    net
        The network.
    images
        [S, ...].
    state
        Parameters and buffers by name, none of which wants gradients.
    entries
        By a parameter's name, which of its entries, counted as if it were flat.
    directions
        Logits [S, C] -> K vectors for each image, [S, C, K].
    num_classes
        Tells the logits from other tensors where the network returns several.

    Raises
    ------
    Unscorable
        If a parameter is of another layer than convolutions, linear and norm layers; if a layer or
        the logits do not have one row per image.
    """
    wanted = _by_layer(net, entries)
    samples = len(images)
    count = sum(map(len, entries.values()))
    # Where gradients start: outputs of layers that no other such layer leads to.
    starts: list[Tensor] = []
    row: Tensor = images.new_zeros(samples, count)

    def note(layer: Any, given: Any, output: Tensor) -> Tensor:
        if len(output) != samples:
            raise Unscorable(
                f"a {type(layer).__name__} gave {len(output)} rows for {samples} images; gradients "
                "by image need layers that keep the batch as their first dimension"
            )
        if not output.requires_grad:
            starts.append(output.detach().requires_grad_())
            output = starts[-1].clone()  # may be written into
        # At once, since the input may be written into.
        shares = [_share(layer, entry, given[0].detach(), output) for entry in wanted[layer]]
        assert output.grad_fn is not None
        handles.append(output.grad_fn.register_prehook(lambda gradients: add(shares, gradients)))
        return output

    def add(shares: list[_Share], gradients: Any) -> None:
        for column, there, factor in shares:
            part = gradients[0][there]
            row[:, column] += (
                (part if factor is None else part * factor).reshape(samples, -1).sum(1)
            )

    handles = [layer.register_forward_hook(note) for layer in wanted]
    found = []
    try:
        output = logits(run(net, images, dict(state), channels_last=True), num_classes)
        if output.ndim != 2 or len(output) != samples or output.shape[1] < 2:
            raise Unscorable(
                f"the network gave {list(output.shape)}, expected scores of two classes or more, "
                f"[{samples}, classes]"
            )
        for direction in directions(output.detach()).unbind(2):
            row = images.new_zeros(samples, count)
            if output.requires_grad:
                torch.autograd.grad(output, starts, direction, retain_graph=True, allow_unused=True)
            found.append(row)
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack(found)


def _by_layer(net: nn.Module, entries: Mapping[str, Sequence[int]]) -> dict[Layer, list[_Entry]]:
    parameters = dict(net.named_parameters())
    columns: dict[int, range] = {}
    start = 0
    for name, chosen in entries.items():
        columns[id(parameters[name])] = range(start, start + len(chosen))
        start += len(chosen)
    by_id = {id(parameters[name]): chosen for name, chosen in entries.items()}
    wanted: dict[Layer, list[_Entry]] = {}
    for module in net.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) not in columns:
                continue
            if not isinstance(module, _Known):
                raise Unscorable(
                    f"a {type(module).__name__} has parameters of its own; gradients by image are "
                    "known for convolutions, linear and norm layers"
                )
            for column, flat in zip(columns[id(parameter)], by_id[id(parameter)]):
                place = tuple(int(i) for i in np.unravel_index(flat, parameter.shape))
                wanted.setdefault(module, []).append(_Entry(column, name == "weight", place))
    return wanted


def _share(layer: Layer, entry: _Entry, given: Tensor, output: Tensor) -> _Share:
    first = isinstance(layer, (*_Convolution, _BatchNorm, nn.GroupNorm))  # channels
    channel = entry.place if isinstance(layer, nn.LayerNorm) else entry.place[:1]
    there: Any = (slice(None), *channel) if first else (..., *channel)
    if not entry.of_weight:
        return _Share(entry.column, there, None)
    if isinstance(layer, _Convolution):
        factor = _seen_by(layer, entry.place, given, output.shape[2:])
    elif isinstance(layer, nn.Linear):
        factor = given[..., entry.place[1]].clone()
    else:
        factor = _normalised(layer, given)[there].clone()
    return _Share(entry.column, there, factor)


def _seen_by(
    layer: nn.Conv1d | nn.Conv2d | nn.Conv3d,
    place: tuple[int, ...],
    given: Tensor,
    size: Sequence[int],
) -> Tensor:
    """Return the inputs that one entry of a kernel meets: [S, channels, ...] -> [S, *size]."""
    out, within, *offsets = place
    group = out // (layer.out_channels // layer.groups)
    channel = group * (layer.in_channels // layer.groups) + within
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = F.pad(
        given[:, channel : channel + 1], layer._reversed_padding_repeated_twice, mode=mode
    )
    cuts: list[Any] = [slice(None), 0]
    for offset, dilation, stride, length in zip(offsets, layer.dilation, layer.stride, size):
        start = offset * dilation
        cuts.append(slice(start, start + (length - 1) * stride + 1, stride))
    return padded[tuple(cuts)].clone()


def _normalised(layer: Any, given: Tensor) -> Tensor:
    """Return what a norm layer multiplies by its weight."""
    if isinstance(layer, nn.LayerNorm):
        return F.layer_norm(given, layer.normalized_shape, None, None, layer.eps)
    if isinstance(layer, nn.GroupNorm):
        return F.group_norm(given, layer.num_groups, None, None, layer.eps)
    mean, variance = layer.running_mean, layer.running_var
    return F.batch_norm(given, mean, variance, None, None, False, 0.0, layer.eps)
