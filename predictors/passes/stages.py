"""The features along a network's trunk: what goes into its first block, and what each gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.drawn_weights import drawn_weights, kaiming
from naslib_swap.predictors.passes.isolation import isolated, run, scratch_buffers
from naslib_swap.predictors.passes.layers import weighted_layers
from naslib_swap.predictors.passes.noise import noise
from naslib_swap.predictors.passes.probe import Probe

READS = frozenset({"stage_samples"})
SAMPLES = 16

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def stages(probe: Probe) -> list[Tensor]:
    """Return the features of one forward pass on Gaussian noise, with their graph; see `recorded`.

    Train mode, He's weights by fan-in. Neither the network's own weights nor its head matter: the
    pass ends after the last block. Computed once for all proxies that use it, as the pass
    ``stages``. Settings: ``stage_samples``, images of noise (16; AZ-NAS takes 64, which ranks alike
    and takes four times as long, docs/proxies.md).
    """
    return probe.once("stages", lambda: _stages(probe))


def _stages(probe: Probe) -> list[Tensor]:
    generator = torch.Generator().manual_seed(probe.seed)
    net = probe.net
    # Before the weights: a head, the last to be drawn, then changes nothing.
    images = noise(probe, int(probe.settings.get("stage_samples", SAMPLES)), generator)
    state = {**drawn_weights(net, generator, kaiming), **scratch_buffers(net)}
    with isolated(net, probe.seed), recorded(net) as features, suppress(_AllSeen):
        run(net, images.requires_grad_(), state, channels_last=True)
    return features


class _AllSeen(Exception):
    """Every block has given its feature: the rest of the network need not run."""


def blocks(net: nn.Module) -> list[nn.Module]:
    """List the blocks that a network is stacked of: cells, residual blocks, encoder layers.

    A block is a member of a Sequential or list that is no plain layer, no such container itself,
    and in no other block. Where there is only one, the blocks inside it are meant; where there are
    none, each convolution and linear layer is one.
    """
    found = list(_members(net))
    while len(found) == 1:
        found = list(_members(found[0]))
    return found or list(weighted_layers(net))


def _members(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        composite = next(child.children(), None) is not None
        if isinstance(module, _CONTAINERS) and composite and not isinstance(child, _CONTAINERS):
            yield child
        else:
            yield from _members(child)


@contextmanager
def recorded(net: nn.Module) -> Iterator[list[Tensor]]:
    """Record the features of the forward pass inside; hooks are always removed.

    The first is what goes into the first block, unless that is the network's own input; the others
    are what the blocks give, each when it is first called. They are [S, channels, ...] or, of
    sequences, [S, tokens, channels].

    Raises
    ------
    _AllSeen
        In the forward pass, when the last block has given its feature.
    Unscorable
        If fewer than two features were seen.
    """
    found = blocks(net)
    features: list[Tensor] = []
    seen: set[int] = set()
    images: list[Any] = []

    def note_images(module: nn.Module, given: Any) -> None:
        images.extend(value for value in given if isinstance(value, Tensor))

    def note_first(module: nn.Module, given: Any) -> None:
        # Of several inputs, as a cell has that sees two cells back, the last is the nearest.
        maps = [value for value in given if _is_feature(value)]
        if not features and maps and not any(maps[-1] is image for image in images):
            features.append(maps[-1])

    def note(module: nn.Module, given: Any, output: Any) -> None:
        value = output[0] if isinstance(output, tuple) and output else output
        if _is_feature(value) and id(module) not in seen:
            seen.add(id(module))
            features.append(value)
            if len(seen) == len(found):
                raise _AllSeen

    handles = [net.register_forward_pre_hook(note_images)]
    try:
        for block in found:
            handles.append(block.register_forward_pre_hook(note_first))
            handles.append(block.register_forward_hook(note))
        yield features
    finally:
        for handle in handles:
            handle.remove()
    if len(features) < 2:
        raise Unscorable(
            f"{len(features)} features were seen in {type(net).__name__}, expected two or more: "
            "[S, channels, height, width] or [S, tokens, channels], given by its blocks"
        )


def rows_of(feature: Tensor) -> Tensor:
    """Return [S, channels, H, W] or [S, tokens, channels] as rows of channels: [rows, channels]."""
    if feature.ndim == 4:
        feature = feature.movedim(1, -1)
    return feature.reshape(-1, feature.shape[-1])


def _is_feature(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim in (3, 4)
