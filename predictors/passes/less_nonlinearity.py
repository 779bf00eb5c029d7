"""Forward passes with thinned convolutions and without batch statistics, as NCD has them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from naslib_swap.errors import BadArgument

_CONVOLUTIONS = frozenset(
    {
        F.conv1d,
        F.conv2d,
        F.conv3d,
        F.conv_transpose1d,
        F.conv_transpose2d,
        F.conv_transpose3d,
    }
)


class LessNonlinearity(TorchFunctionMode):
    """Inside, convolutions see a part of their input, and batch norm normalises each sample.

    Of a convolution's input each entry is kept with probability ``1 - alpha``, else it is 0. Batch
    norm, in either mode, becomes (x - mean) / sqrt(var + eps) over all but the first dimension,
    without weight and bias, and its running statistics stay as they are. The network is not
    touched. Masks come from torch's global generator.

    Parameters
    ----------
    alpha
        The share that is masked, at least 0 and below 1.

    Attributes
    ----------
    convolutions
        How many convolutions ran.

    Raises
    ------
    BadArgument
        If `alpha` is out of range.
    """

    def __init__(self, alpha: float) -> None:
        super().__init__()
        if not 0 <= alpha < 1:
            raise BadArgument(
                f"got ncd_alpha={alpha}, expected the share of each convolution's input that is "
                "masked: at least 0, below 1."
            )
        self._keep = 1 - alpha
        self.convolutions = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.batch_norm:
            return _by_sample(*args, **kwargs)
        if func in _CONVOLUTIONS:
            self.convolutions += 1
            return self._thinned(func, *args, **kwargs)
        return func(*args, **kwargs)

    def _thinned(self, func: Any, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        mask = input.new_empty(input.shape).bernoulli_(self._keep)
        output: Tensor = func(mask.mul_(input), *args, **kwargs)
        return output


def _by_sample(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    return F.group_norm(input, 1, eps=eps)  # a little faster than the same by layer_norm
