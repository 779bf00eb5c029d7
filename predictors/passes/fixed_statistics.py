"""Batch normalisation whose batch statistics count as constants."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


def normalised(x: Tensor, eps: float) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) by the batch's statistics: [S, C, ...] -> the same."""
    variance, mean = _statistics(x)
    shape = (1, -1, *[1] * (x.ndim - 2))
    return (x - mean.view(shape)) * (variance + eps).rsqrt().view(shape)


class FixedStatistics(TorchFunctionMode):
    """Inside, `F.batch_norm` in train mode passes no gradient through its mean and variance.

    Values do not change. For gradients, each output then depends on its own image alone, so that
    one backward pass holds the gradients of every image.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.batch_norm:
            return _batch_norm(*args, **kwargs)
        return func(*args, **kwargs)


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if training:
        running_var, running_mean = _statistics(input)
    return F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach()
    dimensions = [d for d in range(x.ndim) if d != 1]
    mean = x.mean(dimensions, keepdim=True)
    # Several times faster than `torch.var_mean` over these dimensions.
    return (x - mean).square_().mean(dimensions), mean.flatten()
