"""NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326).

A cell has four nodes and six edges, each with one of five operations. The network is a stem, three
stages of five cells with 16, 32 and 64 channels, a residual block with stride 2 between stages, and
a linear classifier. Node sums, modules and their order are those of NASLib's network, so that both
give the same outputs for the same weights.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap.score import count_parameters
from naslib_swap.spaces.networks import check_sizes, chosen_variant, on_meta
from naslib_swap.spaces.notation import is_index_tuple, plain, read_literal, unknown_architecture
from naslib_swap.spaces.pooling import AvgPool2d
from naslib_swap.spaces.space import MOST_SIDE, Arch, CellGraph, SearchSpace, Task

OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
"""Operation names; their positions are NASLib's compact integers."""

EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""(from, to) of the six positions of the compact tuple."""

_COUNT = len(OPERATIONS) ** len(EDGES)
_NONE = OPERATIONS.index("none")
_CONVOLUTIONS = {OPERATIONS.index("nor_conv_3x3"): 3, OPERATIONS.index("nor_conv_1x1"): 1}
_CHANNELS = (16, 32, 64)
_CELLS_PER_STAGE = 5
_BLOCK = r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|"
_STRING = re.compile(_BLOCK)
_STRING_ORDER = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def has_no_loose_operation(arch: Arch) -> bool:
    """Tell whether every operation but "none" lies on a path from the cell's input to its output.

    True for 9,445 architectures, the one without any operation among them.
    """
    there = [edge for edge, operation in zip(EDGES, arch) if operation != _NONE]
    from_input, to_output = {0}, {3}
    for start, end in there:
        if start in from_input:
            from_input.add(end)
    for start, end in reversed(there):
        if end in to_output:
            to_output.add(start)
    return all(start in from_input and end in to_output for start, end in there)


class NasBench201(SearchSpace):
    """The NAS-Bench-201 search space of 15,625 architectures.

    An architecture is a tuple of six ints in 0..4, one operation for each of `EDGES`.
    `sample`, `mutate` and `crossover` give architectures whose input reaches the output; `parse`
    accepts all 15,625.
    """

    name = "nasbench201"
    example = "(0, 2, 3, 2, 3, 1)"
    tasks = {
        "cifar10": Task((3, 32, 32), 10, accuracies="analog"),
        "cifar100": Task((3, 32, 32), 100, accuracies="suite-zero"),
        "ImageNet16-120": Task((3, 16, 16), 120, accuracies="suite-zero"),
    }
    suite_zero = "zc-nasbench201"
    subsets = {"reachable": has_no_loose_operation}
    encoders = {"full": "cells"}
    gradient_interval = (0.0, 0.2)
    count = _COUNT
    sides = range(4, MOST_SIDE, 4)

    def parse(self, text: str) -> Arch:
        """Read "(0, 2, 3, 2, 3, 1)", "|nor_conv_3x3~0|+|nor_conv_3x3~0|...|", or an index.

        An index, "0" to "15624", is the position in the benchmark's own list.
        """
        if not isinstance(text, str):
            return self._checked(text)
        if text.strip().isdecimal():
            arch = _from_index(text.strip())
        else:
            arch = _from_string(text) if "|" in text else _from_tuple(text)
        if arch is None:
            raise unknown_architecture(
                text,
                "NAS-Bench-201",
                "six operations in 0..4, a string with one of "
                f"{', '.join(OPERATIONS)} on each edge, or an index below {_COUNT}",
                f"{self.example} or {architecture_string((0, 2, 3, 2, 3, 1))}",
            )
        return arch

    def encode(self, arch: Arch) -> str:
        """Write NASLib's compact tuple, "(0, 2, 3, 2, 3, 1)"."""
        return str(self._checked(arch))

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw uniformly from the architectures whose input reaches the output."""
        while True:
            arch = tuple(rng.integers(len(OPERATIONS), size=len(EDGES)).tolist())
            if is_connected(arch):
                return arch

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Change the operation on one edge."""
        arch = self._checked(arch)
        while True:
            edge = int(rng.integers(len(EDGES)))
            step = int(rng.integers(1, len(OPERATIONS)))
            child = list(arch)
            child[edge] = (arch[edge] + step) % len(OPERATIONS)
            if is_connected(tuple(child)):
                return tuple(child)

    def crossover(self, a: Arch, b: Arch, rng: np.random.Generator) -> Arch:
        """Take each edge from either parent (uniform crossover)."""
        a, b = self._checked(a), self._checked(b)
        for mask in rng.permutation(2 ** len(EDGES)).tolist():
            child = tuple(b[i] if mask >> i & 1 else a[i] for i in range(len(EDGES)))
            if is_connected(child):
                return child
        return a

    def canonical(self, arch: Arch) -> Arch:
        """Return the smaller of two: without an edge 1→2, nodes 1 and 2 can change places.

        14,125 networks are left of the 15,625 architectures. Operations that nothing reaches stay:
        they add parameters and activations.
        """
        arch = self._checked(arch)
        if arch[EDGES.index((1, 2))] != _NONE:
            return arch
        first, second, third, none, fourth, fifth = arch
        return min(arch, (second, first, third, none, fifth, fourth))

    def cells(self, arch: Arch) -> tuple[CellGraph, ...]:
        """Return the one cell; edges without an operation are left out."""
        edges = tuple(
            (str(start), str(end), OPERATIONS[operation])
            for (start, end), operation in zip(EDGES, self._checked(arch))
            if operation != _NONE
        )
        return (CellGraph("cell", ("0", "1", "2", "3"), edges),)

    def described(self, arch: Arch) -> dict[str, Any]:
        """Return the compact tuple and NAS-Bench-201's own notation."""
        return {"operations": list(arch), "string": architecture_string(arch)}

    def depth(self, arch: Arch) -> int:
        """Stem, residual blocks (2 each), classifier, and 15 times the cell's longest path."""
        longest: list[int | None] = [0, None, None, None]
        for (start, end), operation in zip(EDGES, self._checked(arch)):
            before = longest[start]
            if operation != _NONE and before is not None:
                longest[end] = max(longest[end] or 0, before + (operation in _CONVOLUTIONS))
        fixed = 1 + 2 * (len(_CHANNELS) - 1) + 1
        return fixed + len(_CHANNELS) * _CELLS_PER_STAGE * (longest[-1] or 0)

    def build(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> nn.Module:
        """Build the network for images [S, in_channels, H, W]; returns class scores."""
        chosen_variant(variant, self.variants, self.name)
        check_sizes(num_classes, in_channels)
        return _network(self._checked(arch), num_classes, in_channels)

    def multiply_accumulates(
        self,
        arch: Arch,
        input_shape: tuple[int, ...],
        *,
        variant: str | None = None,
        num_classes: int = 10,
    ) -> int | None:
        """Count those of one image whose side is a multiple of four; None for others."""
        channels, height, width = input_shape
        if height % 4 or width % 4:
            return None
        first, places = _CHANNELS[0], height * width
        total = 9 * channels * first * places + _CHANNELS[-1] * num_classes
        for before, after in zip(_CHANNELS, _CHANNELS[1:]):
            places //= 4
            total += places * (9 * before * after + 9 * after**2 + before * after)
        kernel = sum(_CONVOLUTIONS.get(operation, 0) ** 2 for operation in self._checked(arch))
        # Twice the channels on a quarter of the places: a cell costs the same in every stage.
        cells = _CELLS_PER_STAGE * len(_CHANNELS)
        return total + cells * kernel * first**2 * height * width

    def parameters(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> int:
        """Count the parameters: a frame that all architectures share, and their convolutions."""
        chosen_variant(variant, self.variants, self.name)
        check_sizes(num_classes, in_channels)
        total = _frame_parameters(num_classes, in_channels)
        for operation in self._checked(arch):
            if operation in _CONVOLUTIONS:
                kernel = _CONVOLUTIONS[operation]
                total += _CELLS_PER_STAGE * sum(c * c * kernel**2 + 2 * c for c in _CHANNELS)
        return total

    def _checked(self, arch: Arch) -> Arch:
        arch = plain(arch)
        if not is_index_tuple(arch, len(EDGES), len(OPERATIONS)):
            raise unknown_architecture(
                arch, "NAS-Bench-201", "a tuple of six ints in 0..4", self.example
            )
        return arch


SPACE = NasBench201()


def architecture_string(arch: Arch) -> str:
    """Write NAS-Bench-201's own notation, "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"."""
    names = {edge: OPERATIONS[operation] for edge, operation in zip(EDGES, arch)}
    columns = [
        "|" + "".join(f"{names[start, end]}~{start}|" for start in range(end)) for end in (1, 2, 3)
    ]
    return "+".join(columns)


def is_connected(arch: Arch) -> bool:
    """Tell whether the cell's input reaches its output over edges other than "none"."""
    reached = {0}
    for (start, end), operation in zip(EDGES, arch):
        if operation != _NONE and start in reached:
            reached.add(end)
    return 3 in reached


def _from_tuple(text: object) -> Arch | None:
    try:
        value = read_literal(text)
    except ValueError:
        return None
    return value if is_index_tuple(value, len(EDGES), len(OPERATIONS)) else None


def _from_string(text: str) -> Arch | None:
    match = _STRING.fullmatch(text.strip())
    if match is None or any(name not in OPERATIONS for name in match.groups()):
        return None
    names = dict(zip(_STRING_ORDER, match.groups()))
    return tuple(OPERATIONS.index(names[edge]) for edge in EDGES)


def _from_index(text: str) -> Arch | None:
    return indexed()[int(text)] if len(text) <= 6 and int(text) < _COUNT else None


@lru_cache(maxsize=1)
def indexed() -> tuple[Arch, ...]:
    """All architectures in the order of NAS-Bench-201's own list, which its index counts.

    Notes
    -----
    The benchmark enumerated all cells, operations in the order none, skip, 1x1, 3x3, pooling and
    edges in the order of its strings, and shuffled them by Python's generator with the seed 88.
    """
    named = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    operations = [OPERATIONS.index(name) for name in named]
    listed = [
        tuple(cell[_STRING_ORDER.index(edge)] for edge in EDGES)
        for cell in product(operations, repeat=len(EDGES))
    ]
    Random(88).shuffle(listed)
    return tuple(listed)


class Cell(nn.Module):
    """Four nodes, each the sum of its incoming edges; maps [S, C, H, W] to the same shape."""

    def __init__(self, arch: Arch, channels: int) -> None:
        super().__init__()
        self.incoming: list[list[tuple[int, int]]] = [[], [], []]
        edges: list[nn.Module] = []
        for (start, end), operation in zip(EDGES, arch):
            if operation != _NONE:
                self.incoming[end - 1].append((start, len(edges)))
                edges.append(_operation(operation, channels))
        self.edges = nn.ModuleList(edges)

    def forward(self, x: Tensor) -> Tensor:
        """Return the fourth node; a node without incoming edges is zero."""
        nodes = [x]
        for incoming in self.incoming:
            terms = [self.edges[index](nodes[start]) for start, index in incoming]
            nodes.append(sum(terms[1:], terms[0]) if terms else torch.zeros_like(x))
        return nodes[-1]


class ResidualBlock(nn.Module):
    """Halves the resolution and doubles the channels: two convolutions beside a pooled shortcut."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            relu_conv_norm(channels_in, channels_out, 3, stride=2),
            relu_conv_norm(channels_out, channels_out, 3),
        )
        self.shortcut = nn.Sequential(
            AvgPool2d(2, stride=2), nn.Conv2d(channels_in, channels_out, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [S, channels_in, H, W] to [S, channels_out, H / 2, W / 2]."""
        return self.shortcut(x) + self.convolutions(x)


def relu_conv_norm(
    channels_in: int, channels_out: int, kernel: int, *, stride: int = 1
) -> nn.Sequential:
    """ReLU, convolution without bias that keeps the size at stride 1, batch normalisation."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(
            channels_in, channels_out, kernel, stride=stride, padding=kernel // 2, bias=False
        ),
        nn.BatchNorm2d(channels_out),
    )


def _operation(operation: int, channels: int) -> nn.Module:
    if operation in _CONVOLUTIONS:
        return relu_conv_norm(channels, channels, _CONVOLUTIONS[operation])
    if OPERATIONS[operation] == "avg_pool_3x3":
        return AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return nn.Identity()


def _network(arch: Arch, num_classes: int, in_channels: int) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, _CHANNELS[0], 3, padding=1, bias=False),
        nn.BatchNorm2d(_CHANNELS[0]),
    ]
    for stage, channels in enumerate(_CHANNELS):
        if stage:
            layers.append(ResidualBlock(_CHANNELS[stage - 1], channels))
        layers += [Cell(arch, channels) for _ in range(_CELLS_PER_STAGE)]
    layers += [
        nn.BatchNorm2d(_CHANNELS[-1]),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(_CHANNELS[-1], num_classes),
    ]
    return nn.Sequential(*layers)


@lru_cache(maxsize=64)
def _frame_parameters(num_classes: int, in_channels: int) -> int:
    empty = (_NONE,) * len(EDGES)
    with on_meta():
        return count_parameters(_network(empty, num_classes, in_channels))
