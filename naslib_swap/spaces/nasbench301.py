"""NAS-Bench-301 (Zela et al., ICLR 2022, arXiv 2008.09777) as NASLib builds it.

The cells are those of DARTS, in NASLib's compact notation; the network is NASLib's: 16, 32 and 64
channels, 8 layers, normalisation without weights on the edges, and after poolings too.
"""

from __future__ import annotations

from functools import partial

from naslib_swap.spaces.darts import SEARCHED, GenotypeSpace, read_genotype
from naslib_swap.spaces.darts_cells import EDGES
from naslib_swap.spaces.notation import plain, unknown_architecture
from naslib_swap.spaces.space import MOST_SIDE, Arch, Task

_unknown = partial(
    unknown_architecture,
    space="NAS-Bench-301",
    expected=(
        f"a normal and a reduction cell of {EDGES} (input, operation) pairs, operations 0 to 6 for "
        f"{', '.join(SEARCHED)}, two different inputs for each node"
    ),
    example=(
        "(((0, 3), (1, 3), (0, 3), (1, 3), (1, 3), (0, 2), (0, 2), (2, 5)), "
        "((0, 0), (1, 0), (2, 2), (1, 0), (0, 0), (2, 2), (2, 2), (1, 0)))"
    ),
)


class NasBench301(GenotypeSpace):
    """Pairs of a normal and a reduction cell without "none".

    An architecture is NASLib's compact form, `(normal, reduce)`, each a tuple of eight
    (input, operation) pairs of ints.

    Variants: "naslib" is what NASLib's Develop branch builds; "suite-zero" is twice as wide, the
    network that NAS-Bench-Suite-Zero's published table was made with. Both are counted and built
    without the auxiliary head.
    """

    name = "nasbench301"
    variants = ("naslib", "suite-zero")
    example: str = _unknown.keywords["example"]
    tasks = {"cifar10": Task((3, 32, 32), 10, accuracies="suite-zero")}
    suite_zero = "zc-nasbench301"
    gradient_interval = (0.0, 0.2)
    sides = range(4, MOST_SIDE, 4)

    def parse(self, text: str) -> Arch:
        """Read NASLib's compact form, with tuples or lists, or a DARTS Genotype."""
        if type(text) is tuple or isinstance(text, list):
            text = repr(plain(text))
        genotype = read_genotype(text if isinstance(text, str) else repr(text))
        if genotype is None or not _is_searched(genotype):
            raise _unknown(text)
        return compact(genotype)

    def encode(self, arch: Arch) -> str:
        """Write the compact form with tuples."""
        return str(compact(self.genotype(arch)))

    def naslib_key(self, arch: Arch) -> str:
        """Write the compact form with lists inside, as the keys of NASLib's table are."""
        return str([list(cell) for cell in arch])

    def of(self, genotype: Arch) -> Arch:
        """Return NASLib's compact form."""
        return compact(genotype)

    def genotype(self, arch: Arch) -> Arch:
        """Return the DARTS architecture."""
        arch = plain(arch)
        genotype = read_genotype(repr(arch)) if isinstance(arch, tuple) else None
        if genotype is None or not _is_searched(genotype) or compact(genotype) != arch:
            raise _unknown(arch)
        return genotype


SPACE = NasBench301()


def compact(genotype: Arch) -> Arch:
    """Turn a DARTS architecture without "none" into NASLib's compact form."""
    return tuple(
        tuple((source, SEARCHED.index(name)) for name, source in cell) for cell in genotype
    )


def _is_searched(genotype: Arch) -> bool:
    return all(
        cell[position][0] in SEARCHED and cell[position][1] != cell[position ^ 1][1]
        for cell in genotype
        for position in range(EDGES)
    )
