"""The DARTS search space (Liu, Simonyan and Yang, ICLR 2019, arXiv 1806.09055).

Notations: the DARTS papers' `Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=..., ...)`,
also with `NAME = ` in front, and NASLib's compact form `(((input, operation), ...), (...))`. Both
are parsed, never evaluated.
"""

from __future__ import annotations

import ast
import re
from abc import abstractmethod
from typing import Any

import numpy as np
from torch import nn

from naslib_swap.spaces.darts_cells import EDGES, NODES, OPERATIONS, CellEdges
from naslib_swap.spaces.darts_networks import (
    SCALES,
    DartsNetwork,
    network_depth,
    network_parameters,
)
from naslib_swap.spaces.networks import check_sizes, chosen_variant
from naslib_swap.spaces.notation import plain, read_expression, read_literal, unknown_architecture
from naslib_swap.spaces.space import Arch, CellGraph, Moves, SearchDefaults, SearchSpace, Task
from naslib_swap.spaces.tied_cells import TiedCells

SEARCHED = OPERATIONS[1:]
"""The operations that random choices draw from: all but "none". NASLib's compact form counts them
from 0."""

_CONCAT = (2, 3, 4, 5)
_EXAMPLE: tuple[CellEdges, CellEdges] = (
    (
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 1),
        ("skip_connect", 0),
        ("skip_connect", 0),
        ("dil_conv_3x3", 2),
    ),
    (
        ("max_pool_3x3", 0),
        ("max_pool_3x3", 1),
        ("skip_connect", 2),
        ("max_pool_3x3", 1),
        ("max_pool_3x3", 0),
        ("skip_connect", 2),
        ("skip_connect", 2),
        ("max_pool_3x3", 1),
    ),
)

_ASSIGNMENT = re.compile(r"\s*[A-Za-z_]\w*\s*=(?=\s*Genotype\b)")


class GenotypeSpace(SearchSpace):
    """Spaces whose architectures are pairs of DARTS cells, in whatever form."""

    @abstractmethod
    def genotype(self, arch: Arch) -> Arch:
        """Return the DARTS architecture that an architecture of this space is.

        Raises
        ------
        BadArgument
            If it is none of this space's.
        """

    def of(self, genotype: Arch) -> Arch:
        """Return a DARTS architecture in this space's form."""
        return genotype

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw operations uniformly, and two different inputs for each node."""
        return self.of((sample_cell(rng), sample_cell(rng)))

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Mutate an operation or a connection, by a coin (Figure 9 of arXiv 2605.07378)."""
        move = (mutate_operation, mutate_connection)[int(rng.integers(2))]
        return self.of(move(self.genotype(arch), rng))

    def crossover(self, a: Arch, b: Arch, rng: np.random.Generator) -> Arch:
        """Take each node, with both of its edges, from either parent."""
        return self.of(uniform_crossover(self.genotype(a), self.genotype(b), rng))

    def canonical(self, arch: Arch) -> Arch:
        """Put the two edges of each node in order: their sum does not depend on it."""
        return self.of(ordered(self.genotype(arch)))

    def cells(self, arch: Arch) -> tuple[CellGraph, ...]:
        """Return both cells; equal ones once."""
        return cell_graphs(self.genotype(arch))

    def exported(self, arch: Arch) -> dict[str, str]:
        """Return the genotype as Python that DARTS's own code and its heirs import."""
        genotype = genotype_string(self.genotype(arch))
        return {
            "genotype.py": (
                "from collections import namedtuple\n\n"
                'Genotype = namedtuple("Genotype", "normal normal_concat reduce reduce_concat")\n\n'
                f"FOUND = {genotype}\n"
            )
        }

    def depth(self, arch: Arch) -> int:
        """Weighted layers on the longest path of the default variant."""
        normal, reduce = self.genotype(arch)
        return network_depth(normal, reduce, SCALES[self.variants[0]])

    def build(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> nn.Module:
        """Build the network for images [S, in_channels, H, W]; returns class scores."""
        scale = SCALES[chosen_variant(variant, self.variants, self.name)]
        check_sizes(num_classes, in_channels)
        normal, reduce = self.genotype(arch)
        return DartsNetwork(normal, reduce, scale, num_classes, in_channels)

    def parameters(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> int:
        """Count the parameters of the variant, exactly."""
        scale = SCALES[chosen_variant(variant, self.variants, self.name)]
        check_sizes(num_classes, in_channels)
        normal, reduce = self.genotype(arch)
        return network_parameters(normal, reduce, scale, num_classes, in_channels)


class Darts(GenotypeSpace):
    """Pairs of a normal and a reduction cell.

    An architecture is `(normal, reduce)`, each a tuple of eight (operation, input) pairs, two for
    each of the nodes 2 to 5; a node's inputs are the cell's inputs 0 and 1 and the nodes before it.
    `sample`, `mutate` and `crossover` follow the papers' search: no "none", and two different
    inputs for each node. `parse` takes "none" and repeated inputs too, as DARTS-1000 has both.

    Variants: "cifar10" (36 channels, 20 layers), "imagenet" (48 channels, 14 layers), both without
    auxiliary head, and "tiny": 3 channels, no stem, a single reduction cell, the network of the
    SWAP papers' DARTS-1000 protocol. The tiny network has no running statistics, so that it can be
    `vmap`ped over many weights.
    """

    name = "darts"
    variants = ("cifar10", "imagenet", "tiny")
    tasks = {
        "cifar10": Task((3, 32, 32), 10, accuracies="darts1000"),
        "imagenet": Task((3, 224, 224), 1000, "imagenet"),
    }
    search = SearchDefaults(
        variant="tiny",
        trained={"cifar10": ("cifar10", 10), "imagenet": ("imagenet", 1000)},
        repeats=8,
        rule="adaptive",
    )
    gradient_interval = (0.0, 0.3)

    @property
    def example(self) -> str:  # type: ignore[override]
        """The cell that DARTS found on CIFAR-10 (second order)."""
        return genotype_string(_EXAMPLE)

    def parse(self, text: str) -> Arch:
        """Read a Genotype or NASLib's compact form."""
        if type(text) is tuple or isinstance(text, list):
            arch = plain(text)
        else:
            arch = read_genotype(text if isinstance(text, str) else repr(text))
        if arch is None or not is_genotype(arch):
            raise unknown_architecture(text, "DARTS", _EXPECTED, self.example)
        return arch

    def encode(self, arch: Arch) -> str:
        """Write the Genotype form, as `genotype_string`."""
        return genotype_string(self.genotype(arch))

    def genotype(self, arch: Arch) -> Arch:
        """Return the architecture, once it is known to be one."""
        arch = plain(arch)
        if not is_genotype(arch):
            raise unknown_architecture(arch, "DARTS", _EXPECTED, repr(_EXAMPLE))
        return arch

    def moves(self, variant: str | None) -> Moves:
        """Tie the cells where only one of them is scored."""
        return TiedCells(self) if variant == "tiny" else self

    def described(self, arch: Arch) -> dict[str, Any]:
        """Return the fields of a Genotype."""
        normal, reduction = ([list(edge) for edge in cell] for cell in arch)
        concat = list(_CONCAT)
        return {
            "normal": normal,
            "normal_concat": concat,
            "reduce": reduction,
            "reduce_concat": concat,
        }


_EXPECTED = (
    f"a normal and a reduction cell of {EDGES} (operation, input) pairs, operations from "
    f"{', '.join(OPERATIONS)}, inputs of node n below n, all four nodes concatenated"
)


SPACE = Darts()


def ordered(arch: Arch) -> Arch:
    """Put the two edges of each node in order, by input and operation."""
    return tuple(
        tuple(
            edge
            for node in range(NODES)
            for edge in sorted(cell[2 * node : 2 * node + 2], key=lambda edge: edge[::-1])
        )
        for cell in arch
    )


def cell_graphs(arch: Arch) -> tuple[CellGraph, ...]:
    """Return the cells of an architecture for pictures; equal ones once."""
    normal, reduction = arch
    if normal == reduction:
        return (_cell_graph("normal and reduction cell", normal),)
    return _cell_graph("normal cell", normal), _cell_graph("reduction cell", reduction)


def _cell_graph(title: str, cell: CellEdges) -> CellGraph:
    names = ("c_{k-2}", "c_{k-1}", "0", "1", "2", "3", "c_{k}")
    edges = [
        (names[source], names[2 + position // 2], operation)
        for position, (operation, source) in enumerate(cell)
    ]
    edges += [(name, names[-1], "") for name in names[2:-1]]
    return CellGraph(title, names, tuple(edges))


def genotype_string(arch: Arch) -> str:
    """Write `Genotype(normal=[...], normal_concat=[2, 3, 4, 5], reduce=[...], ...)`."""
    normal, reduce = (list(cell) for cell in arch)
    concat = list(_CONCAT)
    return (
        f"Genotype(normal={normal}, normal_concat={concat}, "
        f"reduce={reduce}, reduce_concat={concat})"
    )


def read_genotype(text: object) -> Arch | None:
    """Read a Genotype or NASLib's compact form; None where the text is neither."""
    if not isinstance(text, str):
        return None
    try:
        value = _genotype_call(text) if "Genotype" in text else _compact(read_literal(text))
    except (ValueError, TypeError, IndexError):
        return None
    return value if is_genotype(value) else None


def is_genotype(arch: object) -> bool:
    """Tell whether `arch` is a pair of valid cells."""
    return isinstance(arch, tuple) and len(arch) == 2 and all(map(_is_cell, arch))


def _is_cell(cell: object) -> bool:
    return (
        isinstance(cell, tuple)
        and len(cell) == EDGES
        and all(
            isinstance(edge, tuple)
            and len(edge) == 2
            and edge[0] in OPERATIONS
            and type(edge[1]) is int
            and 0 <= edge[1] < 2 + position // 2
            for position, edge in enumerate(cell)
        )
    )


def _genotype_call(text: str) -> Any:
    """Read the one call `Genotype(normal=..., ...)`, whose arguments are literals or ranges.

    It may be written as an assignment, `NAME = Genotype(...)`, as in a file of genotypes.
    """
    call = read_expression(_ASSIGNMENT.sub("", text, count=1))
    fields = ("normal", "normal_concat", "reduce", "reduce_concat")
    if not (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Genotype"
        and not call.args
        and sorted(str(item.arg) for item in call.keywords) == sorted(fields)
    ):
        raise ValueError("not a call of Genotype with its four fields")
    given = {str(item.arg): _literal_or_range(item.value) for item in call.keywords}
    if given["normal_concat"] != _CONCAT or given["reduce_concat"] != _CONCAT:
        raise ValueError("only cells that concatenate all four nodes are known")
    return given["normal"], given["reduce"]


def _literal_or_range(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        values = range(*map(read_literal, node.args))
        return tuple(values[: len(_CONCAT) + 1])
    return read_literal(node)


def _compact(value: Any) -> Any:
    """Turn NASLib's (input, operation index) pairs into (operation, input) pairs."""
    cells = []
    for cell in value:
        if any(type(item) is not int or item < 0 for edge in cell for item in edge):
            raise ValueError("a compact form holds natural numbers only")
        cells.append(tuple((SEARCHED[index], source) for source, index in cell))
    return tuple(cells)


def sample_cell(rng: np.random.Generator) -> CellEdges:
    """Draw a cell: operations from `SEARCHED`, two different inputs for each node."""
    edges: list[tuple[str, int]] = []
    for node in range(NODES):
        for source in rng.choice(node + 2, size=2, replace=False).tolist():
            edges.append((SEARCHED[int(rng.integers(len(SEARCHED)))], source))
    return tuple(edges)


def mutate_operation(arch: Arch, rng: np.random.Generator) -> Arch:
    """Give one edge of one cell another operation."""
    cell, position = int(rng.integers(2)), int(rng.integers(EDGES))
    name, source = arch[cell][position]
    others = [other for other in SEARCHED if other != name]
    return _with_edge(arch, cell, position, (others[int(rng.integers(len(others)))], source))


def mutate_connection(arch: Arch, rng: np.random.Generator) -> Arch:
    """Give one edge of one cell another input, different from that of the node's other edge."""
    moves = [
        (cell, position, others)
        for cell in range(2)
        for position in range(EDGES)
        if (others := _free_inputs(arch[cell], position))
    ]
    cell, position, others = moves[int(rng.integers(len(moves)))]
    name, _ = arch[cell][position]
    return _with_edge(arch, cell, position, (name, others[int(rng.integers(len(others)))]))


def _free_inputs(cell: CellEdges, position: int) -> list[int]:
    taken = {cell[position][1], cell[position ^ 1][1]}
    return [source for source in range(2 + position // 2) if source not in taken]


def _with_edge(arch: Arch, cell: int, position: int, edge: tuple[str, int]) -> Arch:
    cells = [list(edges) for edges in arch]
    cells[cell][position] = edge
    return tuple(tuple(edges) for edges in cells)


def uniform_crossover(a: Arch, b: Arch, rng: np.random.Generator) -> Arch:
    """Take each node, with both of its edges, from either parent; always valid."""
    cells = []
    for cell in range(2):
        edges: CellEdges = ()
        for node, from_b in enumerate(rng.integers(2, size=NODES).tolist()):
            edges += (b if from_b else a)[cell][2 * node : 2 * node + 2]
        cells.append(edges)
    return tuple(cells)
