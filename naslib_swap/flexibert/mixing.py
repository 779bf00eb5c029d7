"""The operations that mix tokens: attention, linear transforms, dynamic span convolution.

Every operation maps [B, T, W] to [B, T, W] (documents, tokens, width), given a mask that is True
for real tokens and None where masks are ignored. ``projections`` are the linear layers whose
outputs serve as the operation's heads, in the order in which they run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Optional, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naslib_swap.flexibert.encoder import Layer


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, T, H·D] to [B, H, T, D]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """[B, H, T, D] to [B, T, H·D]."""
    return x.transpose(1, 2).flatten(2)


class Mixing(nn.Module):
    """An operation that mixes tokens.

    ``confidence`` is the module whose output, after a softmax where it is none itself, serves Head
    Softmax Confidence.
    """

    confidence: nn.Module

    def projections(self) -> Sequence[nn.Linear]:
        """Return the linear layers that make the heads."""
        raise NotImplementedError


class Attention(nn.Module):
    """softmax(q kᵀ / √d) v over heads, with dropout on the probabilities."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.softmax = nn.Softmax(dim=-1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Optional[Tensor]) -> Tensor:
        """All of q, k, v and the result are [B, H, T, D]; ``mask`` is bool [B, T]."""
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], torch.finfo(scores.dtype).min)
        return self.dropout(self.softmax(scores)) @ v


class SelfAttention(Mixing):
    """Multi-head self-attention: scaled dot product, or weighted multiplicative.

    The weighted form (FlexiBERT, arXiv 2205.11656) multiplies the queries by one more matrix:
    softmax(q W kᵀ / √d) v.
    """

    def __init__(self, width: int, heads: int, dropout: float, *, weighted: bool) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.weight = nn.Linear(width, width, bias=False) if weighted else None
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.attention = Attention(dropout)
        self.confidence = self.attention.softmax

    def projections(self) -> Sequence[nn.Linear]:
        """Query, its weighting where there is one, key, value."""
        weight = [] if self.weight is None else [self.weight]
        return [self.query, *weight, self.key, self.value]

    def forward(self, x: Tensor, mask: Optional[Tensor]) -> Tensor:
        """Attend over the tokens of [B, T, W]."""
        query = self.query(x)
        if self.weight is not None:
            query = self.weight(query)
        q, k, v = (split_heads(part, self.heads) for part in (query, self.key(x), self.value(x)))
        return merge_heads(self.attention(q, k, v, mask))


class Fourier2d(nn.Module):
    """The real part of the two-dimensional discrete Fourier transform of [..., T, D]."""

    def forward(self, x: Tensor) -> Tensor:
        """Transform over the last two dimensions, unnormalised."""
        return torch.fft.fft2(x).real


class Cosine2d(nn.Module):
    """The two-dimensional discrete cosine transform (type II, unnormalised) of [..., T, D]."""

    def forward(self, x: Tensor) -> Tensor:
        """Transform over the last two dimensions: 2·Σ x cos(π k (2n + 1) / 2N) along each."""
        over_tokens = cosine_matrix(x.shape[-2], x.dtype, x.device)
        over_features = cosine_matrix(x.shape[-1], x.dtype, x.device)
        return over_tokens @ (x @ over_features.T)


def cosine_matrix(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the [n, n] matrix of the unnormalised DCT-II: row k holds 2 cos(π k (2j + 1) / 2n)."""
    k = torch.arange(n, dtype=torch.float64)[:, None]
    j = torch.arange(n, dtype=torch.float64)[None, :]
    return (2 * torch.cos(math.pi * k * (2 * j + 1) / (2 * n))).to(device=device, dtype=dtype)


class LinearTransform(Mixing):
    """A linear layer, then a Fourier or cosine transform over the tokens and features of each head.

    Masked tokens are zeroed before the transform: their content has no effect, though their number
    does, since it sets the transform's length.
    """

    def __init__(self, width: int, heads: int, transform: nn.Module) -> None:
        super().__init__()
        self.heads = heads
        self.input = nn.Linear(width, width)
        self.transform = transform
        self.confidence = transform

    def projections(self) -> Sequence[nn.Linear]:
        """Return the one linear layer there is."""
        return [self.input]

    def forward(self, x: Tensor, mask: Optional[Tensor]) -> Tensor:
        """Transform the tokens of [B, T, W]."""
        mixed = self.input(x)
        if mask is not None:
            mixed = mixed * mask[..., None].to(mixed.dtype)
        return merge_heads(self.transform(split_heads(mixed, self.heads)))


class SeparableConvolution(nn.Module):
    """A depthwise convolution over the tokens, then a pointwise one; [B, T, W] to [B, T, out]."""

    def __init__(self, width: int, out: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(
            width, width, kernel, padding=kernel // 2, groups=width, bias=False
        )
        # One bias for an output channel, [out, 1] as in ConvBERT.
        self.pointwise = nn.Conv1d(width, out, 1, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve over the tokens."""
        return self.pointwise(self.depthwise(x.transpose(1, 2))).transpose(1, 2)


class DynamicSpanConvolution(Mixing):
    """ConvBERT's mixed attention (arXiv 2008.02496, section 4.2) with half of the heads for each.

    One half of the width is self-attention with h/2 heads (at least one). The other half is a
    convolution whose kernels each token generates from its query and its convolved neighbourhood.
    """

    def __init__(self, width: int, heads: int, dropout: float, kernel: int) -> None:
        super().__init__()
        self.heads = max(1, heads // 2)
        self.kernel = kernel
        inner = width // 2
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(width, inner)
        self.value = nn.Linear(width, inner)
        self.span = SeparableConvolution(width, inner, kernel)
        self.kernels = nn.Linear(inner, self.heads * kernel)
        self.point = nn.Linear(width, inner)
        self.attention = Attention(dropout)
        self.confidence = self.attention.softmax

    def projections(self) -> Sequence[nn.Linear]:
        """Query, key, value of the attention half."""
        return [self.query, self.key, self.value]

    def forward(self, x: Tensor, mask: Optional[Tensor]) -> Tensor:
        """Attend over and convolve the tokens of [B, T, W]."""
        query = self.query(x)
        q, k, v = (split_heads(part, self.heads) for part in (query, self.key(x), self.value(x)))
        attended = merge_heads(self.attention(q, k, v, mask))
        neighbourhood, points = x, self.point(x)
        if mask is not None:
            real = mask[..., None].to(x.dtype)
            neighbourhood, points = x * real, points * real
        kernels = self.kernels(self.span(neighbourhood) * query)
        kernels = kernels.unflatten(-1, (self.heads, self.kernel)).softmax(-1)
        return torch.cat([attended, self._convolve(points, kernels)], dim=-1)

    def _convolve(self, points: Tensor, kernels: Tensor) -> Tensor:
        """Σ over k of kernels[b, t, h, k] · points[b, t + k − K//2, h, d], zero outside."""
        length, reach = points.shape[1], self.kernel // 2
        padded = F.pad(points, (0, 0, reach, reach)).unflatten(-1, (self.heads, -1))
        total = sum(padded[:, k : k + length] * kernels[..., k, None] for k in range(self.kernel))
        assert isinstance(total, Tensor)
        return total.flatten(2)


def build_mixing(layer: Layer, width: int, dropout: float) -> Mixing:
    """Build the operation of an encoder layer at a width."""
    parameter: Union[str, int] = layer.parameter
    if layer.operation == "SA":
        return SelfAttention(width, layer.heads, dropout, weighted=parameter == "WMA")
    if layer.operation == "LT":
        transform = Fourier2d() if parameter == "DFT" else Cosine2d()
        return LinearTransform(width, layer.heads, transform)
    return DynamicSpanConvolution(width, layer.heads, dropout, int(parameter))
