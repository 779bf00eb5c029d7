"""Cells of the DARTS space (Liu, Simonyan and Yang, ICLR 2019, arXiv 1806.09055).

A cell has two inputs, four intermediate nodes with two incoming edges each, and an output, which is
the concatenation of the four nodes. In a reduction cell, the edges from the inputs have stride 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from naslib_swap.spaces.pooling import AvgPool2d, MaxPool2d

OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The eight operations of the space. Searched cells do without the first."""

NODES = 4
EDGES = 2 * NODES

CellEdges = tuple[tuple[str, int], ...]
"""Eight (operation, input) pairs: two for each node; inputs 0 and 1 are the cell's own."""


@dataclass(frozen=True)
class CellStyle:
    """How the operations on the edges of a cell are normalised."""

    affine: bool = True
    """Whether normalisation has weights; NASLib's NAS-Bench-301 network has none on edges."""
    normalised_pools: bool = False
    """Whether a normalisation follows each pooling, as in NASLib."""
    running_statistics: bool = True
    """Whether normalisation tracks running statistics; without, a network is vmap-able."""

    def norm(self, channels: int, *, affine: bool = True) -> nn.BatchNorm2d:
        """Make a batch normalisation."""
        return nn.BatchNorm2d(channels, affine=affine, track_running_stats=self.running_statistics)


class FactorisedReduce(nn.Module):
    """Halves the resolution with two strided 1×1 convolutions, one of them a pixel further on."""

    def __init__(
        self, channels_in: int, channels_out: int, style: CellStyle, *, affine: bool = True
    ) -> None:
        super().__init__()
        half = channels_out // 2
        self.activation = nn.ReLU()
        self.even = nn.Conv2d(channels_in, half, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels_in, channels_out - half, 1, stride=2, bias=False)
        self.norm = style.norm(channels_out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """Map [S, channels_in, H, W], H and W even, to [S, channels_out, H / 2, W / 2]."""
        x = self.activation(x)
        return self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], dim=1))


class Cell(nn.Module):
    """One cell: maps its two inputs, [S, C0, H0, W0] and [S, C1, H, W], to [S, 4 C, H', W']."""

    def __init__(
        self,
        edges: CellEdges,
        before: int,
        previous: int,
        channels: int,
        style: CellStyle,
        *,
        reduction: bool,
        after_reduction: bool,
    ) -> None:
        super().__init__()
        self.stride = 2 if reduction else 1
        self.prepare_before = (
            FactorisedReduce(before, channels, style)
            if after_reduction
            else relu_conv_norm(before, channels, style)
        )
        self.prepare_previous = relu_conv_norm(previous, channels, style)
        self.incoming: list[list[tuple[int, int]]] = [[] for _ in range(NODES)]
        operations: list[nn.Module] = []
        for position, (name, source) in enumerate(edges):
            if name != "none":
                self.incoming[position // 2].append((source, len(operations)))
                stride = edge_stride(source, reduction=reduction)
                operations.append(operation(name, channels, stride, style))
        self.operations = nn.ModuleList(operations)

    def forward(self, before: Tensor, previous: Tensor) -> Tensor:
        """Concatenate the four nodes; a node without a live edge is zero."""
        states = [self.prepare_before(before), self.prepare_previous(previous)]
        for incoming in self.incoming:
            terms = [self.operations[index](states[source]) for source, index in incoming]
            if terms:
                states.append(sum(terms[1:], terms[0]))
            else:
                states.append(torch.zeros_like(states[1][:, :, :: self.stride, :: self.stride]))
        return torch.cat(states[2:], dim=1)


def edge_stride(source: int, *, reduction: bool) -> int:
    """Edges from a reduction cell's own inputs have stride 2, all others 1."""
    return 2 if reduction and source < 2 else 1


def relu_conv_norm(channels_in: int, channels_out: int, style: CellStyle) -> nn.Sequential:
    """ReLU, 1×1 convolution, batch normalisation."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels_in, channels_out, 1, bias=False),
        style.norm(channels_out),
    )


def operation(name: str, channels: int, stride: int, style: CellStyle) -> nn.Module:
    """Make the operation of one edge; "none" has no module."""
    if name == "skip_connect":
        if stride == 1:
            return nn.Identity()
        return FactorisedReduce(channels, channels, style, affine=style.affine)
    if name in ("max_pool_3x3", "avg_pool_3x3"):
        return _pool(name, channels, stride, style)
    kernel = int(name[-1])
    if name.startswith("sep_conv"):
        return nn.Sequential(
            *_separable(channels, kernel, stride, 1, style),
            *_separable(channels, kernel, 1, 1, style),
        )
    if name.startswith("dil_conv"):
        return nn.Sequential(*_separable(channels, kernel, stride, 2, style))
    raise ValueError(f"{name!r} has no module")


def operation_depth(name: str, stride: int) -> int:
    """Count the convolutions in a row: 4 in a separable one (twice two), 2 in a dilated one."""
    if name.startswith("sep_conv"):
        return 4
    if name.startswith("dil_conv"):
        return 2
    return 1 if name == "skip_connect" and stride == 2 else 0


def _pool(name: str, channels: int, stride: int, style: CellStyle) -> nn.Module:
    pool: nn.Module
    if name == "max_pool_3x3":
        pool = MaxPool2d(3, stride=stride, padding=1)
    else:
        pool = AvgPool2d(3, stride=stride, padding=1, count_include_pad=False)
    if style.normalised_pools:
        return nn.Sequential(pool, style.norm(channels, affine=False))
    return pool


def _separable(
    channels: int, kernel: int, stride: int, dilation: int, style: CellStyle
) -> list[nn.Module]:
    return [
        nn.ReLU(),
        nn.Conv2d(
            channels,
            channels,
            kernel,
            stride=stride,
            padding=dilation * (kernel // 2),
            dilation=dilation,
            groups=channels,
            bias=False,
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        style.norm(channels, affine=style.affine),
    ]
