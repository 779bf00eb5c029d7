from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import functional_call, stack_module_state, vmap

from naslib_swap import spaces
from naslib_swap.errors import SwapError
from naslib_swap.spaces.darts import (
    SEARCHED,
    genotype_string,
    mutate_connection,
    mutate_operation,
)

SPACE = spaces.get("darts")
NB301 = spaces.get("nasbench301")
DARTS_V2 = SPACE.parse(SPACE.example)
SEEDS = st.integers(0, 2**32 - 1)


def test_sizes_published_for_the_darts_cell() -> None:
    # The sizes that the DARTS authors' code prints for DARTS_V2; 3.3 M and 4.7 M in their paper.
    assert SPACE.parameters(DARTS_V2) == 3_349_342
    assert SPACE.parameters(DARTS_V2, variant="imagenet", num_classes=1000) == 4_718_752


def test_notations() -> None:
    with_ranges = SPACE.example.replace("[2, 3, 4, 5]", "range(2, 6)")
    assert SPACE.parse(with_ranges) == DARTS_V2
    compact = NB301.parse(SPACE.example)
    assert compact[0][:2] == ((0, 3), (1, 3))
    assert SPACE.parse(NB301.encode(compact)) == DARTS_V2
    assert NB301.parse(str([list(map(list, cell)) for cell in compact])) == compact
    assert NB301.encode(compact) == NB301.example


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sep_conv_3x3", "sep_conv_9x9"),
        ("('dil_conv_3x3', 2)", "('dil_conv_3x3', 5)"),
        ("('dil_conv_3x3', 2)", "('dil_conv_3x3', -1)"),
        ("('dil_conv_3x3', 2)", "('dil_conv_3x3', 2, 2)"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=[2, 3, 4]"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=range(1)"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=range(1000000000)"),
        ("normal_concat=", "concat="),
        ("Genotype(", "print("),
        ("[2, 3, 4, 5])", "[2, 3, 4, 5], x=1)"),
        ("[2, 3, 4, 5])", "[2, 3, 4, 5], **{})"),
        ("[2, 3, 4, 5])", "__import__('os'))"),
        ("Genotype(", "Genotype(1, "),
        ("[2, 3, 4, 5])", "-" * 3000 + "1)"),
        ("[2, 3, 4, 5])", "range('a'))"),
    ],
)
def test_broken_genotypes(old: str, new: str) -> None:
    text = SPACE.example.replace(old, new)
    assert text != SPACE.example
    with pytest.raises(SwapError, match="expected a normal and a reduction cell of 8"):
        SPACE.parse(text)


def test_nasbench301_has_neither_none_nor_repeated_inputs() -> None:
    for text in (
        SPACE.example.replace("sep_conv_3x3", "none"),
        SPACE.example.replace(
            "('max_pool_3x3', 0), ('max_pool_3x3', 1)", "('none', 0), ('none', 0)"
        ),
    ):
        SPACE.parse(text)
        with pytest.raises(SwapError, match="two different inputs for each node"):
            NB301.parse(text)


@given(SEEDS)
def test_mutations_change_one_edge(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arch = SPACE.sample(rng)
    for move, part in ((mutate_operation, 0), (mutate_connection, 1)):
        child = move(arch, rng)
        changed = [(a, b) for x, y in zip(arch, child) for a, b in zip(x, y) if a != b]
        assert len(changed) == 1
        before, after = changed[0]
        assert before[1 - part] == after[1 - part]
        assert SPACE.parse(genotype_string(child)) == child
        assert all(name in SEARCHED for cell in child for name, _ in cell)
        assert all(cell[i][1] != cell[i + 1][1] for cell in child for i in range(0, 8, 2))


@given(SEEDS)
def test_crossover_takes_whole_nodes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = SPACE.sample(rng), SPACE.sample(rng)
    child = SPACE.crossover(a, b, rng)
    for x, y, z in zip(a, b, child):
        for node in range(0, 8, 2):
            assert z[node : node + 2] in (x[node : node + 2], y[node : node + 2])


def test_darts_1000(data_dir: Path) -> None:
    with open(data_dir / "swap" / "DARTS_archs_CIFAR10.csv", newline="") as file:
        texts = [row[0] for row in csv.reader(file)]
    archs = [SPACE.parse(text) for text in texts]
    assert [SPACE.encode(arch) for arch in archs] == texts
    sizes = [SPACE.parameters(arch, variant="tiny") for arch in archs]
    assert len(archs) == 1000
    assert (min(sizes), max(sizes)) == (310, 2692)  # the paper: 0.3 to 2.7 thousand
    rng = np.random.default_rng(0)
    for arch in archs[:50]:
        assert SPACE.mutate(arch, rng) != arch
        SPACE.encode(SPACE.crossover(arch, archs[99], rng))
    for arch in archs[:3]:
        net = SPACE.build(arch, variant="tiny")
        assert sum(p.numel() for p in net.parameters()) == SPACE.parameters(arch, variant="tiny")
        assert net(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_empty_cells_give_zeros() -> None:
    empty = ((("none", 0),) * 8,) * 2
    for variant in ("cifar10", "tiny"):
        net = SPACE.build(empty, variant=variant)
        output = net(torch.randn(2, 3, 32, 32))
        assert torch.equal(output[0], output[1])
    assert SPACE.depth(empty) == 1


def test_tiny_network_is_batched_by_vmap() -> None:
    """Many weights at once give what each gives alone: no buffers, nothing in place."""
    torch.manual_seed(0)
    arch = SPACE.sample(np.random.default_rng(1))
    nets = [SPACE.build(arch, variant="tiny") for _ in range(3)]
    weights, buffers = stack_module_state(nets)
    assert not buffers
    images = torch.randn(4, 3, 32, 32)
    together = vmap(lambda w, x: functional_call(nets[0], w, (x,)), in_dims=(0, None))(
        weights, images
    )
    alone = torch.stack([net(images) for net in nets])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_depth_by_hand() -> None:
    chain = tuple(
        (name, source)
        for node in range(4)
        for name, source in (("sep_conv_3x3", node + 1), ("none", 0))
    )
    skips = (("skip_connect", 1), ("skip_connect", 0)) * 4
    # Stem 1; each of 18 normal cells 1 + 4 * 4; each of 2 reduction cells 1 + 1; classifier 1.
    assert SPACE.depth((chain, skips)) == 1 + 18 * 17 + 2 * 2 + 1
