"""Networks made of DARTS cells: full size, NASLib's, and the SWAP protocol's tiny one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor, nn

from naslib_swap.score import count_parameters
from naslib_swap.spaces.darts_cells import (
    NODES,
    OPERATIONS,
    Cell,
    CellEdges,
    CellStyle,
    edge_stride,
    operation,
    operation_depth,
)
from naslib_swap.spaces.networks import on_meta


@dataclass(frozen=True)
class Scale:
    """The size of a network and its stem: "cifar", "imagenet" or "none" (cells see the images)."""

    channels: int
    layers: int
    stem: str
    style: CellStyle

    def plan(self) -> list[tuple[bool, int]]:
        """Whether each layer is a reduction cell, and its channels; they double at reductions."""
        reductions = {self.layers // 3, 2 * self.layers // 3}
        channels, plan = self.channels, []
        for layer in range(self.layers):
            channels *= 2 if layer in reductions else 1
            plan.append((layer in reductions, channels))
        return plan


PAPER = CellStyle()
NASLIB = CellStyle(affine=False, normalised_pools=True)

SCALES = {
    "cifar10": Scale(36, 20, "cifar", PAPER),
    "imagenet": Scale(48, 14, "imagenet", PAPER),
    "tiny": Scale(3, 1, "none", CellStyle(running_statistics=False)),
    "naslib": Scale(16, 8, "cifar", NASLIB),
    "suite-zero": Scale(32, 8, "cifar", NASLIB),
}
"""The DARTS papers' evaluation networks, without auxiliary heads (the first two); the network of
SWAP's DARTS-1000 protocol; NASLib's NAS-Bench-301 network; the one that NAS-Bench-Suite-Zero's
table was made with."""


class DartsNetwork(nn.Module):
    """A stack of cells; maps [S, in_channels, H, W] to [S, num_classes]."""

    def __init__(
        self, normal: CellEdges, reduce: CellEdges, scale: Scale, num_classes: int, in_channels: int
    ) -> None:
        super().__init__()
        self.stem, before, previous = _stem(scale, in_channels)
        after_reduction = scale.stem == "imagenet"
        cells = []
        for reduction, channels in scale.plan():
            cells.append(
                Cell(
                    reduce if reduction else normal,
                    before,
                    previous,
                    channels,
                    scale.style,
                    reduction=reduction,
                    after_reduction=after_reduction,
                )
            )
            before, previous, after_reduction = previous, NODES * channels, reduction
        self.cells = nn.ModuleList(cells)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(previous, num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Each cell sees the outputs of the two cells before it; the first see the stem's."""
        before = previous = x
        for layer in self.stem:
            before, previous = previous, layer(previous)
        if len(self.stem) == 1:
            before = previous
        for cell in self.cells:
            before, previous = previous, cell(before, previous)
        return self.head(previous)


def _stem(scale: Scale, in_channels: int) -> tuple[nn.ModuleList, int, int]:
    """Make the stem; return it with the channels of the first cell's two inputs."""
    if scale.stem == "none":
        return nn.ModuleList(), in_channels, in_channels
    if scale.stem == "cifar":
        width = 3 * scale.channels
        return nn.ModuleList([nn.Sequential(*_conv3x3(in_channels, width, 1))]), width, width
    width = scale.channels
    first = nn.Sequential(
        *_conv3x3(in_channels, width // 2, 2), nn.ReLU(), *_conv3x3(width // 2, width, 2)
    )
    second = nn.Sequential(nn.ReLU(), *_conv3x3(width, width, 2))
    return nn.ModuleList([first, second]), width, width


def _conv3x3(channels_in: int, channels_out: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
    ]


def network_depth(normal: CellEdges, reduce: CellEdges, scale: Scale) -> int:
    """Count the weighted layers on the longest path, as `depth.weighted_depth` defines it."""
    before, previous = {"none": (0, 0), "cifar": (1, 1), "imagenet": (2, 3)}[scale.stem]
    for reduction, _ in scale.plan():
        depths = [before + 1, previous + 1]
        edges = reduce if reduction else normal
        for node in range(NODES):
            live = [
                depths[source] + operation_depth(name, edge_stride(source, reduction=reduction))
                for name, source in edges[2 * node : 2 * node + 2]
                if name != "none"
            ]
            depths.append(max(live, default=0))
        before, previous = previous, max(depths[2:])
    return previous + 1


def network_parameters(
    normal: CellEdges, reduce: CellEdges, scale: Scale, num_classes: int, in_channels: int
) -> int:
    """Count the parameters exactly: those of a network of empty cells, and those of each edge."""
    total = _frame_parameters(scale, num_classes, in_channels)
    for reduction, edges in ((False, normal), (True, reduce)):
        for name, source in edges:
            stride = edge_stride(source, reduction=reduction)
            total += _edge_parameters(scale, reduction, name, stride)
    return total


@lru_cache(maxsize=256)
def _frame_parameters(scale: Scale, num_classes: int, in_channels: int) -> int:
    empty = ((OPERATIONS[0], 0),) * (2 * NODES)
    with on_meta():
        return count_parameters(DartsNetwork(empty, empty, scale, num_classes, in_channels))


@lru_cache(maxsize=256)
def _edge_parameters(scale: Scale, reduction: bool, name: str, stride: int) -> int:
    if name == "none":
        return 0
    with on_meta():
        return sum(
            count_parameters(operation(name, channels, stride, scale.style))
            for is_reduction, channels in scale.plan()
            if is_reduction == reduction
        )
