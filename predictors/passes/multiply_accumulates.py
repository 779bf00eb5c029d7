"""Counting the multiply-accumulates of whatever runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


def _product(a: Tensor, b: Tensor) -> int:
    """Count those of [..., N, K] by [..., K, M]."""
    return a.numel() * b.shape[-1]


def _convolution(x: Tensor, weight: Tensor, out: Tensor, transposed: bool) -> int:
    """Count one kernel for each value of the output (transposed: of the input)."""
    return (x if transposed else out).numel() * weight[0].numel()


def _attention(query: Tensor, key: Tensor, value: Tensor) -> int:
    """Count queries [B, H, N, D] by keys [B, G, M, D], and the result by values [B, G, M, E]."""
    rows = query.numel() // query.shape[-1]
    return rows * key.shape[-2] * (query.shape[-1] + value.shape[-1])


def _recurrence(x: Tensor, weights: Sequence[Tensor]) -> int:
    """Count steps [..., I] by the matrices of all layers and directions that they pass through."""
    return x.numel() // x.shape[-1] * sum(w.numel() for w in weights if w.dim() == 2)


def _fused_attention(x: Tensor, *weights: Tensor) -> int:
    """Count self-attention of x [B, N, E], and products of its rows by each weight matrix."""
    rows = x.numel() // x.shape[-1]
    return 2 * rows * x.shape[-2] * x.shape[-1] + rows * sum(w.numel() for w in weights)


_Formula = Callable[[Any, Any], int]
# By name, since not all of them are in every version of torch.
_BY_NAME: dict[str, _Formula] = {
    "mm": lambda args, out: _product(args[0], args[1]),
    "bmm": lambda args, out: _product(args[0], args[1]),
    "addmm": lambda args, out: _product(args[1], args[2]),
    "_addmm_activation": lambda args, out: _product(args[1], args[2]),
    "baddbmm": lambda args, out: _product(args[1], args[2]),
    "addbmm": lambda args, out: _product(args[1], args[2]),
    "mv": lambda args, out: args[0].numel(),
    "addmv": lambda args, out: args[1].numel(),
    "dot": lambda args, out: args[0].numel(),
    # Bilinear layers: rows [N, I] and [N, J] by a weight [O, I, J].
    "_trilinear": lambda args, out: args[0].shape[0] * args[1].numel(),
    "convolution": lambda args, out: _convolution(args[0], args[1], out, args[6]),
    "mkldnn_rnn_layer": lambda args, out: _recurrence(args[0], args[1:5]),
    "_cudnn_rnn": lambda args, out: _recurrence(args[0], args[1]),
    "miopen_rnn": lambda args, out: _recurrence(args[0], args[1]),
    **{
        f"_scaled_dot_product_{kernel}": lambda args, out: _attention(*args[:3])
        for kernel in (
            "flash_attention",
            "flash_attention_for_cpu",
            "efficient_attention",
            "cudnn_attention",
            "fused_attention_overrideable",
        )
    },
    # In eval mode, without gradients.
    "_native_multi_head_attention": lambda args, out: _fused_attention(args[0], args[5], args[7]),
    "_transformer_encoder_layer_fwd": lambda args, out: _fused_attention(
        args[0], args[3], args[5], args[14], args[16]
    ),
}
_FORMULAS = {getattr(aten, name): f for name, f in _BY_NAME.items() if hasattr(aten, name)}


class MultiplyAccumulates(TorchDispatchMode):
    """Inside, `count` grows by the multiply-accumulates of what runs.

    Notes
    -----
    Convolutions, matrix products, attention, recurrent and bilinear layers count. They are counted
    where torch calls its kernels, so modules and functions count in the same way, and also on the
    meta device, where nothing is computed. Elementwise operations, pooling and normalisation add
    nothing. ``torch.utils.flop_counter`` gives twice the number; it takes twice as long, as it
    counts by module, and leaves out attention on the CPU and recurrent layers.

    Examples
    --------
    >>> with MultiplyAccumulates() as seen:
    ...     _ = torch.ones(2, 3) @ torch.ones(3, 4)
    >>> seen.count
    24
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first call imports torch._dynamo, for seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        formula = _FORMULAS.get(func._overloadpacket)
        if formula is None and torch.is_inference_mode_enabled():
            # There, composite operators come whole.
            with self:
                out = func.decompose(*args, **(kwargs or {}))
            if out is not NotImplemented:
                return out
        out = func(*args, **(kwargs or {}))
        if formula is not None:
            self.count += formula(args, out)
        return out
