"""The feature maps that a network computes last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@dataclass
class Features:
    """The last feature maps seen of each kind, [S, C, H, W]."""

    pooled: Tensor | None = None  # went into a global pool
    convolved: Tensor | None = None  # went into a convolution
    returned: Tensor | None = None  # came out of any module but a pool

    def before_pooling(self, output: Any) -> Tensor | None:
        """Return the feature maps before global pooling.

        The input of the last adaptive pool; where there is none, the input of the last convolution
        if the network's output is itself a map (decoders), or else the last map that any module
        returned (networks that pool by a mean).
        """
        if self.pooled is not None:
            return self.pooled
        if isinstance(output, Tensor) and output.ndim == 4:
            return self.convolved
        return self.returned


@contextmanager
def recording_features(net: nn.Module) -> Iterator[Features]:
    """Record the feature maps of the forward passes inside; hooks are always removed."""
    seen = Features()

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        given = inputs[0] if inputs and _is_map(inputs[0]) else None
        if isinstance(module, POOLS):
            seen.pooled = given
        elif isinstance(module, CONVOLUTIONS) and given is not None:
            seen.convolved = given
        if _is_map(output) and not isinstance(module, POOLS):
            seen.returned = output

    handles = []
    try:
        for module in net.modules():
            handles.append(module.register_forward_hook(note))
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _is_map(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 4
