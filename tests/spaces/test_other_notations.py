"""Notations that users bring: NumPy's integers, indices, pairs of matrix and operations, names."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest

from naslib_swap import ground_truth, spaces
from naslib_swap.errors import SwapError
from naslib_swap.spaces.nasbench101 import prune
from naslib_swap.spaces.nasbench201 import architecture_string, indexed

NB101 = spaces.get("nasbench101")
NB201 = spaces.get("nasbench201")
DARTS = spaces.get("darts")
SPACES = (
    *("nasbench101", "nasbench201", "nasbench301", "darts", "autoformer_tiny", "pit"),
    *("transbench101_micro", "transbench101_macro", "vitbench_autoformer"),
)


def test_numpys_integers():
    assert NB201.parse("(np.int64(0), 2, numpy.uint8(3), 2, np.int32(3), 1)") == (0, 2, 3, 2, 3, 1)
    compact = spaces.get("nasbench301")
    assert compact.parse(compact.example.replace("3", "np.int64(3)")) == compact.parse(
        compact.example
    )
    for text in ("(np.float64(0), 2, 3, 2, 3, 1)", "(np.int64(np.int64(0)), 2, 3, 2, 3, 1)"):
        with pytest.raises(SwapError, match="is no NAS-Bench-201 architecture"):
            NB201.parse(text)


def _numpied(arch):
    if isinstance(arch, tuple):
        return tuple(map(_numpied, arch))
    return np.int64(arch) if isinstance(arch, int) else arch


def _listed(arch):
    return list(map(_listed, arch)) if isinstance(arch, tuple) else arch


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(
    "given", [lambda arch: arch, _numpied, _listed], ids=["tuple", "numpy", "list"]
)
def test_architectures_that_are_no_texts(name, given):
    """As a program of one's own holds them: tuples, with NumPy's integers, lists."""
    space = spaces.get(name)
    arch = space.parse(space.example)
    found = given(arch)
    assert space.parse(found) == arch
    assert space.encode(found) == space.encode(arch)
    assert space.depth(found) == space.depth(arch)
    assert space.parameters(found) == space.parameters(arch)
    rngs = np.random.default_rng(0), np.random.default_rng(0)
    children = [space.mutate(one, rng) for one, rng in zip((tuple(found), arch), rngs)]
    assert space.encode(children[0]) == space.encode(children[1])


def test_pairs_and_genotypes_that_are_no_texts():
    matrix = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]])
    names = ["input", "conv1x1-bn-relu", "output"]
    assert NB101.parse((matrix, names)) == NB101.parse(str((matrix.tolist(), names)))
    fields = "normal normal_concat reduce reduce_concat"
    genotype = namedtuple("Genotype", fields)
    text = DARTS.example
    assert DARTS.parse(eval(text, {"Genotype": genotype})) == DARTS.parse(text)
    for nothing in (None, 5, (), [[]], np.zeros(6)):
        for space in map(spaces.get, SPACES):
            with pytest.raises(SwapError, match="architecture: expected"):
                space.parse(nothing)


def test_nasbench201_by_index():
    """The first architecture of the benchmark's list, as its own documentation prints it."""
    assert architecture_string(NB201.parse("0")) == (
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+"
        "|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    )
    assert len(set(indexed())) == 5**6
    for text in ("15625", "9" * 5000, "-1", "1.0"):
        with pytest.raises(SwapError, match="or an index below 15625"):
            NB201.parse(text)


@pytest.mark.data
def test_published_indices_of_good_architectures(data_dir):
    """6111 and 9930 are named in papers as among the best on CIFAR-100."""
    accuracy = ground_truth.load("nasbench201", task="cifar100").accuracy
    best = sorted(accuracy, key=lambda arch: -accuracy[arch])[:3]
    assert {NB201.encode(NB201.parse(index)) for index in ("6111", "9930")} < set(best)


MATRIX = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
OPS = ["input", "conv3x3-bn-relu", "maxpool3x3", "output"]


@pytest.mark.parametrize("form", ["({matrix}, {ops})", "ModelSpec(matrix={matrix}, ops={ops})"])
def test_nasbench101_as_matrix_and_operations(form):
    arch = NB101.parse(form.format(matrix=MATRIX, ops=OPS))
    graph = prune(arch)
    assert graph.edges == {(0, 1), (0, 2), (1, 3), (2, 3)}
    assert graph.operations == (0, 4, 2, 1)
    assert NB101.parse(NB101.encode(arch)) == arch


def test_a_whole_matrix_is_the_56_ints():
    arch = NB101.parse(NB101.example)
    names = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")
    matrix = np.array(arch[:49]).reshape(7, 7).tolist()
    assert NB101.parse(str((matrix, [names[i] for i in arch[49:]]))) == arch


@pytest.mark.parametrize(
    ("matrix", "ops"),
    [
        (MATRIX, OPS[:3]),
        (MATRIX, ["input", "conv5x5", "maxpool3x3", "output"]),
        (MATRIX, ["output", *OPS[1:]]),
        (MATRIX[:3], OPS),
        ([[0, 2], [0, 0]], ["input", "output"]),
        ([[0, 1], [1, 0]], ["input", "output"]),
        ([[0, 0], [0, 0]], ["input", "output"]),
        ([[0] * 8] * 8, ["input", *["maxpool3x3"] * 6, "output"]),
        (5, OPS),
        (MATRIX, 5),
    ],
)
def test_bad_pairs(matrix, ops):
    with pytest.raises(
        SwapError, match=r"is no NAS-Bench-101 architecture: .*or a pair of a matrix"
    ):
        NB101.parse(str((matrix, ops)))


def test_a_genotype_with_a_name():
    for text in (f"DARTS_V2 = {DARTS.example}", f"  x={DARTS.example}\n"):
        assert DARTS.parse(text) == DARTS.parse(DARTS.example)
    for text in (f"a = b = {DARTS.example}", f"1x = {DARTS.example}", f"a == {DARTS.example}"):
        with pytest.raises(SwapError, match="is no DARTS architecture"):
            DARTS.parse(text)
