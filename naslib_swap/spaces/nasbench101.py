"""NAS-Bench-101 (Ying et al., ICML 2019, arXiv 1902.09635).

A cell is a directed graph of up to seven vertices: the input, up to five operations and the output.
The network is a stem and three stacks of three cells with 128, 256 and 512 channels, halving the
resolution between stacks. It is the network that NASLib uses: same structure, same initialisation.
Current versions of nasbench_pytorch, with which NASLib builds it, add a few unused scalars to each
cell.
"""

from __future__ import annotations

import math
import re
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap.spaces.networks import check_sizes, chosen_variant
from naslib_swap.spaces.notation import plain, read_literal, unknown_architecture
from naslib_swap.spaces.pooling import MaxPool2d
from naslib_swap.spaces.space import MOST_SIDE, Arch, SearchSpace, Task

OPERATIONS = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")
"""Operation names; their positions are NASLib's integers."""

VERTICES = 7
MAX_EDGES = 9

_CODE = VERTICES**2 + VERTICES
_INPUT, _OUTPUT, _POOL = 0, 1, 2
_INNER = (2, 3, 4)
_KERNELS = {3: 1, 4: 3}
_SLOTS = tuple((i, j) for i in range(VERTICES) for j in range(i + 1, VERTICES))
_STEM_CHANNELS = 128
_STACKS = 3
_CELLS_PER_STACK = 3
_SIZES = ((128, 128), (128, 256), (256, 512))
"""(channels in, channels out) of cells: 512 in and out divide as 256 in and 512 out do."""
_MODEL_SPEC = re.compile(r"ModelSpec\(\s*matrix\s*=(.*),\s*ops\s*=(.*)\)", re.DOTALL)
_EXAMPLE: Arch = (
    *(0, 1, 1, 0, 0, 0, 1),
    *(0, 0, 0, 1, 0, 0, 0),
    *(0, 0, 0, 0, 1, 0, 0),
    *(0, 0, 0, 0, 0, 0, 1),
    *(0, 0, 0, 0, 0, 0, 1),
    *(0, 0, 0, 0, 0, 0, 0),
    *(0, 0, 0, 0, 0, 0, 0),
    *(0, 4, 3, 4, 2, 4, 1),
)
_EXPECTED = (
    f"{_CODE} ints, a 7×7 upper triangular matrix of 0 and 1 with at most {MAX_EDGES} edges in "
    "use, row by row, that leads from the first vertex to the last, then 7 operations: 0 (input), "
    "five in 2 (maxpool3x3), 3 (conv1x1), 4 (conv3x3), and 1 (output); or a pair of a matrix and "
    "names of operations"
)


class Graph(NamedTuple):
    """A cell without the vertices that are not on a path from input to output."""

    edges: frozenset[tuple[int, int]]
    operations: tuple[int, ...]

    @property
    def output(self) -> int:
        """The last vertex."""
        return len(self.operations) - 1

    def sources(self, vertex: int) -> list[int]:
        """Return the vertices that feed one, in order."""
        return [source for source in range(vertex) if (source, vertex) in self.edges]


class NasBench101(SearchSpace):
    """The 423 thousand different cells of NAS-Bench-101, in NASLib's notation.

    An architecture is a tuple of 56 ints: the 7×7 adjacency matrix, row by row, and the seven
    operations as positions in `OPERATIONS`. Vertices without a path from the input to the output
    are no part of the network, so that several tuples can stand for the same one.
    """

    name = "nasbench101"
    tasks = {"cifar10": Task((3, 32, 32), 10, accuracies="suite-zero")}
    suite_zero = "zc-nasbench101"
    gradient_interval = (0.0, 0.2)
    flat_tables = True
    sides = range(4, MOST_SIDE)
    example = str(_EXAMPLE)

    def parse(self, text: str) -> Arch:
        """Read the 56 ints, or NAS-Bench-101's own pair of a matrix and names of operations.

        The pair is `([[0, 1, ...], ...], ["input", "conv3x3-bn-relu", ..., "output"])`, of two to
        seven vertices; `ModelSpec(matrix=..., ops=...)` is read too. Vertices that are missing
        are written as poolings without edges, before the output.
        """
        match = _MODEL_SPEC.fullmatch(text.strip()) if isinstance(text, str) else None
        try:
            source = text if match is None else f"({match[1]}, {match[2]})"
            value = read_literal(source) if isinstance(source, str) else plain(source)
        except ValueError:
            value = None
        if isinstance(value, tuple) and len(value) == 2:
            value = _from_pair(*value)
        if not _is_cell(value):
            raise unknown_architecture(text, "NAS-Bench-101", _EXPECTED, self.example)
        return tuple(value)

    def encode(self, arch: Arch) -> str:
        """Write the 56 ints as a tuple."""
        arch = plain(arch)
        self._checked(arch)
        return str(arch)

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw edges and operations uniformly until the cell is valid, as NAS-Bench-101 does."""
        while True:
            edges = [slot for slot, bit in zip(_SLOTS, rng.integers(2, size=len(_SLOTS))) if bit]
            inner = rng.choice(_INNER, size=VERTICES - 2).tolist()
            arch = _code(edges, inner)
            if _is_cell(arch):
                return arch

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Add or remove one edge, or change one operation.

        A change that leaves the network as it was is made only where no other is possible.
        """
        arch = plain(arch)
        before = self._checked(arch)
        valid = [other for other in _neighbours(arch) if _is_cell(other)]
        effective = [other for other in valid if prune(other) != before] or valid
        return effective[int(rng.integers(len(effective)))]

    def crossover(self, a: Arch, b: Arch, rng: np.random.Generator) -> Arch:
        """Take each edge and each operation from either parent, until the cell is valid."""
        self._checked(a), self._checked(b)
        for _ in range(100):
            child = tuple(np.where(rng.integers(2, size=_CODE) == 1, a, b).tolist())
            if _is_cell(child):
                return child
        return a

    def canonical(self, arch: Arch) -> Arch:
        """Return the smallest of the architectures that are this network.

        Vertices without a path from input to output are removed; inner vertices are put in each
        order that the edges allow. Where the output's channels do not divide evenly, the order
        decides which vertex gets one more: such orders are other networks.
        """
        graph = self._checked(arch)
        inner = range(1, graph.output)
        found = []
        for order in permutations(inner):
            place = {0: 0, graph.output: graph.output, **{v: i for i, v in enumerate(order, 1)}}
            edges = frozenset((place[i], place[j]) for i, j in graph.edges)
            if any(i > j for i, j in edges):
                continue
            moved = Graph(edges, tuple(graph.operations[v] for v in (0, *order, graph.output)))
            if all(
                vertex_channels(moved, *sizes)[place[v]] == channels
                for sizes in _SIZES
                for v, channels in enumerate(vertex_channels(graph, *sizes))
            ):
                found.append(_spread(moved))
        return min(found)

    def depth(self, arch: Arch) -> int:
        """Weighted layers on the longest path, projections included."""
        graph = self._checked(arch)
        depths = [0] * len(graph.operations)
        for vertex, operation in enumerate(graph.operations[1:], start=1):
            longest = max(depths[source] + (source == 0) for source in graph.sources(vertex))
            depths[vertex] = longest + (operation in _KERNELS)
        return 1 + _STACKS * _CELLS_PER_STACK * depths[-1] + 1

    def build(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> nn.Module:
        """Build the network for images [S, in_channels, H, W]; returns class scores."""
        chosen_variant(variant, self.variants, self.name)
        check_sizes(num_classes, in_channels)
        net = _network(self._checked(arch), num_classes, in_channels)
        _initialise(net)
        return net

    def parameters(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> int:
        """Count the parameters: of stem and classifier, and of the convolutions of each cell."""
        chosen_variant(variant, self.variants, self.name)
        check_sizes(num_classes, in_channels)
        graph = self._checked(arch)
        total = _conv_parameters(in_channels, _STEM_CHANNELS, 3)
        for channels_in, channels_out in _plan():
            channels = vertex_channels(graph, channels_in, channels_out)
            for vertex, width in enumerate(channels):
                if (0, vertex) in graph.edges:
                    total += _conv_parameters(channels_in, width, 1)
                if graph.operations[vertex] in _KERNELS:
                    total += _conv_parameters(width, width, _KERNELS[graph.operations[vertex]])
        return total + (channels_out + 1) * num_classes

    def _checked(self, arch: Arch) -> Graph:
        arch = plain(arch)
        if not _is_cell(arch):
            raise unknown_architecture(arch, "NAS-Bench-101", _EXPECTED, self.example)
        return prune(arch)


SPACE = NasBench101()


def prune(arch: Arch) -> Graph:
    """Keep the vertices on paths from input to output; no operations where there is no path."""
    edges = {(i, j) for i, j in _SLOTS if arch[i * VERTICES + j]}
    after, before = {0}, {VERTICES - 1}
    for vertex in range(1, VERTICES):
        if any((source, vertex) in edges for source in after):
            after.add(vertex)
    for vertex in range(VERTICES - 2, -1, -1):
        if any((vertex, target) in edges for target in before):
            before.add(vertex)
    kept = sorted(after & before)
    place = {vertex: position for position, vertex in enumerate(kept)}
    return Graph(
        frozenset((place[i], place[j]) for i, j in edges if i in place and j in place),
        tuple(arch[VERTICES**2 + vertex] for vertex in kept),
    )


def vertex_channels(graph: Graph, channels_in: int, channels_out: int) -> list[int]:
    """Return the channels of each vertex (section 2.2 of the paper).

    The inner vertices that feed the output share its channels; where that leaves a remainder, the
    first ones get one more. Every other inner vertex has as many as the widest it feeds.
    """
    output = graph.output
    channels = [channels_in] + [0] * (output - 1) + [channels_out]
    feeding = [vertex for vertex in graph.sources(output) if vertex != 0]
    for position, vertex in enumerate(feeding):
        share, remainder = divmod(channels_out, len(feeding))
        channels[vertex] = share + (position < remainder)
    for vertex in range(output - 1, 0, -1):
        if vertex not in feeding:
            channels[vertex] = max(
                channels[target]
                for target in range(vertex + 1, output)
                if (vertex, target) in graph.edges
            )
    return channels


class Cell(nn.Module):
    """One cell: maps [S, channels_in, H, W] to [S, channels_out, H, W].

    Edges from the input are projections; an inner vertex adds what it gets, cutting off channels it
    lacks; the output concatenates, and adds the input's projection.
    """

    def __init__(self, graph: Graph, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.graph = graph
        self.channels = vertex_channels(graph, channels_in, channels_out)
        self.projections = nn.ModuleDict()
        self.operations = nn.ModuleList()
        for vertex in range(1, graph.output + 1):
            width = self.channels[vertex]
            if (0, vertex) in graph.edges:
                self.projections[str(vertex)] = _conv_norm_relu(channels_in, width, 1)
            if vertex < graph.output:
                self.operations.append(_operation(graph.operations[vertex], width))

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the vertices in order."""
        vertices = [x]
        for vertex, operation in enumerate(self.operations, start=1):
            width = self.channels[vertex]
            terms = [
                vertices[source][:, :width] for source in self.graph.sources(vertex) if source != 0
            ]
            if (0, vertex) in self.graph.edges:
                terms.append(self.projections[str(vertex)](x))
            vertices.append(operation(sum(terms[1:], terms[0])))
        output = self.graph.output
        joined = [vertices[source] for source in self.graph.sources(output) if source != 0]
        if (0, output) not in self.graph.edges:
            return torch.cat(joined, dim=1)
        projected = self.projections[str(output)](x)
        return torch.cat(joined, dim=1) + projected if joined else projected


def _conv_norm_relu(channels_in: int, channels_out: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


def _conv_parameters(channels_in: int, channels_out: int, kernel: int) -> int:
    return channels_in * channels_out * kernel**2 + 2 * channels_out


def _operation(operation: int, channels: int) -> nn.Module:
    if operation == _POOL:
        return MaxPool2d(3, stride=1, padding=1)
    return _conv_norm_relu(channels, channels, _KERNELS[operation])


def _plan() -> list[tuple[int, int]]:
    """List (channels_in, channels_out) of each cell; they double with each stack."""
    widths = [
        _STEM_CHANNELS * 2**stack for stack in range(_STACKS) for _ in range(_CELLS_PER_STACK)
    ]
    return list(zip([_STEM_CHANNELS, *widths], widths))


def _network(graph: Graph, num_classes: int, in_channels: int) -> nn.Sequential:
    layers: list[nn.Module] = [_conv_norm_relu(in_channels, _STEM_CHANNELS, 3)]
    for position, (channels_in, channels_out) in enumerate(_plan()):
        if position and position % _CELLS_PER_STACK == 0:
            layers.append(MaxPool2d(2, stride=2))
        layers.append(Cell(graph, channels_in, channels_out))
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels_out, num_classes)]
    return nn.Sequential(*layers)


def _initialise(net: nn.Module) -> None:
    """Draw weights as NASLib's network does: He, by fan-out, and a small classifier."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            nn.init.normal_(module.weight, 0, math.sqrt(2 / fan_out))
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01)
            nn.init.zeros_(module.bias)


def _is_cell(value: object) -> bool:
    if not (
        isinstance(value, tuple) and len(value) == _CODE and all(type(bit) is int for bit in value)
    ):
        return False
    matrix, operations = value[: VERTICES**2], value[VERTICES**2 :]
    upper = {i * VERTICES + j for i, j in _SLOTS}
    if any(bit not in ((0, 1) if place in upper else (0,)) for place, bit in enumerate(matrix)):
        return False
    if operations[0] != _INPUT or operations[-1] != _OUTPUT:
        return False
    if any(operation not in _INNER for operation in operations[1:-1]):
        return False
    graph = prune(value)
    return len(graph.operations) >= 2 and len(graph.edges) <= MAX_EDGES


def _from_pair(matrix: Any, names: Any) -> Arch | None:
    """Turn a matrix of up to seven vertices and names of operations into 56 ints."""
    size = len(names) if isinstance(names, tuple) else 0
    if (
        not 2 <= size <= VERTICES
        or (names[0], names[-1]) != ("input", "output")
        or any(name not in OPERATIONS[2:] for name in names[1:-1])
        or not isinstance(matrix, tuple)
        or [isinstance(row, tuple) and len(row) for row in matrix] != [size] * size
    ):
        return None
    place = [*range(size - 1), VERTICES - 1]
    code = [0] * VERTICES**2
    for i, row in enumerate(matrix):
        for j, bit in enumerate(row):
            code[place[i] * VERTICES + place[j]] = bit
    inner = [OPERATIONS.index(name) for name in names[1:-1]]
    inner += [_POOL] * (VERTICES - size)
    return (*code, _INPUT, *inner, _OUTPUT)


def _code(edges: list[tuple[int, int]], inner: list[int]) -> Arch:
    matrix = [0] * VERTICES**2
    for i, j in edges:
        matrix[i * VERTICES + j] = 1
    return (*matrix, _INPUT, *inner, _OUTPUT)


def _spread(graph: Graph) -> Arch:
    """Write a pruned cell with seven vertices again: those in between are pools without edges."""

    def place(vertex: int) -> int:
        return VERTICES - 1 if vertex == graph.output else vertex

    inner = [*graph.operations[1:-1], *[_POOL] * (VERTICES - len(graph.operations))]
    return _code([(place(i), place(j)) for i, j in graph.edges], inner)


def _neighbours(arch: Arch) -> list[Arch]:
    """List all architectures that differ in one edge or one operation, valid or not."""
    found = []
    for i, j in _SLOTS:
        place = i * VERTICES + j
        found.append((*arch[:place], 1 - arch[place], *arch[place + 1 :]))
    for place in range(VERTICES**2 + 1, _CODE - 1):
        found += [
            (*arch[:place], other, *arch[place + 1 :]) for other in _INNER if other != arch[place]
        ]
    return found
