"""Counting the multiply-accumulates of whatever runs."""

from __future__ import annotations

from typing import Any, Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


def _product(a: Tensor, b: Tensor) -> int:
    """[..., N, K] by [..., K, M]."""
    return a.numel() * b.shape[-1]


def _convolution(x: Tensor, weight: Tensor, out: Tensor, transposed: bool) -> int:
    """Each value of the output (transposed: of the input) meets one kernel."""
    return (x if transposed else out).numel() * weight[0].numel()


def _attention(query: Tensor, key: Tensor, value: Tensor) -> int:
    """Queries [B, H, N, D] by keys [B, G, M, D], and the result by values [B, G, M, E]."""
    rows = query.numel() // query.shape[-1]
    return rows * key.shape[-2] * (query.shape[-1] + value.shape[-1])


_Formula = Callable[[Any, Any], int]
_FORMULAS: dict[Any, _Formula] = {
    aten.mm: lambda args, out: _product(args[0], args[1]),
    aten.bmm: lambda args, out: _product(args[0], args[1]),
    aten.addmm: lambda args, out: _product(args[1], args[2]),
    aten.baddbmm: lambda args, out: _product(args[1], args[2]),
    aten.convolution: lambda args, out: _convolution(args[0], args[1], out, args[6]),
    **{
        # Not all of them are in every version of torch.
        getattr(aten, f"_scaled_dot_product_{kernel}"): lambda args, out: _attention(*args[:3])
        for kernel in (
            "flash_attention",
            "flash_attention_for_cpu",
            "efficient_attention",
            "cudnn_attention",
            "fused_attention_overrideable",
        )
        if hasattr(aten, f"_scaled_dot_product_{kernel}")
    },
}


class MultiplyAccumulates(TorchDispatchMode):
    """Inside, `count` grows by those of convolutions, matrix products and attention.

    They are counted where torch calls its kernels, so modules and functions count alike, and also
    on the meta device, where nothing is computed. What is done element by element, pooling and
    normalisation add nothing. Twice the number is what `torch.utils.flop_counter` gives, which
    takes twice as long for its account by module, and passes over attention on the CPU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first call imports torch._dynamo, for seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = _FORMULAS.get(func._overloadpacket)
        if formula is not None:
            self.count += formula(args, out)
        return out
