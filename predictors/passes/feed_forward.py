"""What the feed-forward networks of a transformer compute before their activation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.isolation import isolated, run
from naslib_swap.predictors.passes.probe import Probe

SHARE = 0.99


def first_layers(net: nn.Module) -> list[nn.Linear]:
    """List the first layer of each feed-forward network.

    That is two linear layers, one after the other in the order of `net.modules()`, from a width to
    a larger one and back.
    """
    layers = [module for module in net.modules() if isinstance(module, nn.Linear)]
    return [
        first
        for first, second in zip(layers, layers[1:])
        if (first.out_features, first.in_features) == (second.in_features, second.out_features)
        and first.out_features > first.in_features
    ]


def principal_components(probe: Probe, share: float) -> list[int]:
    """Count, for each call of a feed-forward network on tokens, its first layer's components.

    In eval mode, without gradients; see `components`.

    Raises
    ------
    Unscorable
        If no feed-forward network ran on tokens.
    """
    net = probe.net
    with isolated(net, probe.seed), torch.no_grad(), counting(first_layers(net), share) as counts:
        for module in net.modules():
            module.training = False
        run(net, probe.images)
    if not counts:
        raise Unscorable(
            f"no feed-forward network of a transformer ran in {type(net).__name__}; expected two "
            "linear layers on [S, tokens, width], to a larger width and back"
        )
    return counts


@contextmanager
def counting(layers: Iterable[nn.Module], share: float) -> Iterator[list[int]]:
    """Count the `components` of what these layers give for tokens, call by call.

    Hooks are always removed.
    """
    counts: list[int] = []

    def note(layer: nn.Module, given: Any, output: Tensor) -> None:
        if output.ndim > 2:
            counts.append(components(output.reshape(-1, output.shape[-1]), share))

    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def components(rows: Tensor, share: float) -> int:
    """Return the smallest k whose first k principal components hold more than `share` of variance.

    `rows` is [tokens, features], centred here. Of constant rows it is 0.
    """
    # By numpy: its product and spectrum are up to twice as fast as torch's on a CPU.
    centred = rows.detach().double().cpu().numpy()
    centred = centred - centred.mean(0)
    if centred.shape[0] < centred.shape[1]:
        centred = centred.T  # the same spectrum, but for zeros, from the smaller product
    spectrum = np.linalg.eigvalsh(centred.T @ centred)[::-1].clip(0)
    held = np.cumsum(spectrum)
    return int((held <= share * held[-1]).sum()) + 1 if held[-1] > 0 else 0
