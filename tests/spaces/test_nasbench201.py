from __future__ import annotations

import itertools
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from naslib_swap import spaces
from naslib_swap.errors import SwapError
from naslib_swap.spaces.nasbench201 import architecture_string, is_connected

SPACE = spaces.get("nasbench201")
TASKS = ["cifar10", "cifar100", "ImageNet16-120"]
ARCHS = st.tuples(*[st.integers(0, 4)] * 6)


def test_both_notations_by_hand() -> None:
    # The string names each node's incoming edges in turn; the tuple goes through outgoing ones.
    text = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|none~2|"
    assert SPACE.parse(text) == (2, 1, 0, 3, 4, 1)
    assert architecture_string((2, 1, 0, 3, 4, 1)) == text
    assert SPACE.encode((2, 1, 0, 3, 4, 1)) == "(2, 1, 0, 3, 4, 1)"
    assert SPACE.parse("[2,1,0,3,4,1]") == (2, 1, 0, 3, 4, 1)


@given(ARCHS)
def test_string_round_trip(arch: tuple[int, ...]) -> None:
    assert SPACE.parse(architecture_string(arch)) == arch


@pytest.mark.parametrize(
    "text",
    [
        "|nor_conv_7x7~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~1|",
        "|none~0|+|none~0|none~1|",
    ],
)
def test_foreign_strings(text: str) -> None:
    with pytest.raises(SwapError, match=r"such as \(0, 2, 3, 2, 3, 1\) or \|skip_connect~0\|"):
        SPACE.parse(text)


def test_random_moves_keep_the_input_connected() -> None:
    rng = np.random.default_rng(0)
    population = [SPACE.sample(rng) for _ in range(200)]
    children = [SPACE.mutate(arch, rng) for arch in population]
    crossed = [SPACE.crossover(a, b, rng) for a, b in zip(population, children[::-1])]
    assert all(map(is_connected, population + children + crossed))
    assert all(sum(x != y for x, y in zip(a, b)) == 1 for a, b in zip(population, children))
    assert is_connected(SPACE.mutate((1,) * 6, rng))
    assert SPACE.crossover((1,) * 6, (1,) * 6, rng) == (1,) * 6
    assert is_connected(SPACE.crossover((0, 1, 1, 1, 1, 1), (1, 1, 1, 1, 0, 1), rng))


def test_samples_are_uniform_over_connected_architectures() -> None:
    connected = [arch for arch in itertools.product(range(5), repeat=6) if is_connected(arch)]
    rng = np.random.default_rng(0)
    counts = Counter(SPACE.sample(rng)[2] for _ in range(4000))
    for operation in range(5):
        share = sum(arch[2] == operation for arch in connected) / len(connected)
        assert counts[operation] / 4000 == pytest.approx(share, abs=0.03)


def test_depth_by_hand() -> None:
    assert SPACE.depth((1, 1, 0, 1, 1, 1)) == 6  # stem, four in residual blocks, classifier
    assert SPACE.depth((2, 1, 2, 3, 1, 2)) == 6 + 15 * 3  # 3x3, 1x1, 3x3 in a row in each cell


@pytest.mark.parametrize("task", TASKS)
def test_parameters_of_every_architecture(data_dir: Path, task: str) -> None:
    table = pd.read_csv(data_dir / "tables" / f"nasbench201__{task}.csv.gz")
    classes = spaces.get("nasbench201").task(task).num_classes
    counted = [SPACE.parameters(SPACE.parse(a), num_classes=classes) for a in table["arch"]]
    assert len(counted) > 1000
    np.testing.assert_array_equal(counted, np.rint(table["params"].to_numpy() * 1e6))
    assert [SPACE.encode(SPACE.parse(a)) for a in table["arch"]] == list(table["arch"])


@pytest.mark.parametrize("task", TASKS)
def test_flops_of_every_architecture(data_dir: Path, task: str) -> None:
    """Suite-Zero's column follows from ours by the convention of `table_flops`, exactly."""
    table = pd.read_csv(data_dir / "tables" / f"nasbench201__{task}.csv.gz")
    spec = spaces.get("nasbench201").task(task)

    def flops(arch: tuple[int, ...]) -> int:
        with torch.device("meta"):  # counts hang on shapes alone
            image = torch.zeros(1, *spec.input_shape)
            return table_flops(SPACE.build(arch, num_classes=spec.num_classes), image)

    frame = flops((1,) * 6)
    # Nothing in a cell depends on the other edges, so the operations add up.
    costs = [flops((operation, 1, 1, 1, 1, 1)) - frame for operation in range(5)]
    counted = [frame + sum(costs[o] for o in SPACE.parse(arch)) for arch in table["arch"]]
    np.testing.assert_array_equal(counted, np.rint(table["flops"].to_numpy() * 1e6))
    some = SPACE.parse(table["arch"][500])
    assert flops(some) == round(table["flops"][500] * 1e6)


def table_flops(net: nn.Module, image: Tensor) -> int:
    """Count as Suite-Zero's counter did, in multiply-adds, and check torch's own counter.

    A convolution or linear layer costs its multiply-adds, without biases (torch's counter gives
    twice that, and nothing for the rest). Batch normalisation costs 2 a value, ReLU 1 a value,
    average pooling k² a value, and adaptive pooling (H + 1)(W + 1) a value.
    """
    weighted = others = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal weighted, others
        if isinstance(module, nn.Conv2d):
            weighted += output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            weighted += output.numel() * module.in_features
        elif isinstance(module, nn.BatchNorm2d):
            others += 2 * output.numel()
        elif isinstance(module, nn.ReLU):
            others += output.numel()
        elif isinstance(module, nn.AvgPool2d):
            others += int(module.kernel_size) ** 2 * output.numel()  # type: ignore[call-overload]
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            others += (inputs[0].shape[2] + 1) * (inputs[0].shape[3] + 1) * output.numel()

    for module in net.modules():
        module.register_forward_hook(count)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net.eval()(image)
    assert counter.get_total_flops() == 2 * weighted
    return weighted + others


def test_build_takes_milliseconds() -> None:
    arch = SPACE.parse(SPACE.example)
    SPACE.build(arch)
    begin = time.process_time()
    for _ in range(5):
        SPACE.build(arch)
    assert (time.process_time() - begin) / 5 < 0.2


def test_reachable_architectures_by_hand():
    reachable = spaces.get("nasbench201").subset("reachable")
    assert reachable((1, 1, 1, 1, 1, 1))  # nothing there, nothing loose
    assert reachable((1, 1, 0, 1, 1, 1))  # input to output
    assert not reachable((0, 1, 0, 1, 1, 1))  # a first edge that ends nowhere
    assert not reachable((1, 1, 0, 1, 1, 0))  # a last edge that nothing enters
    assert sum(map(reachable, itertools.product(range(5), repeat=6))) == 9445


def test_reachable_architectures_are_those_of_the_published_list(data_dir):
    space = spaces.get("nasbench201")
    listed = pd.read_csv(data_dir / "tables" / "nasbench201__cifar10__valid9445.csv.gz")["arch"]
    assert all(space.subset("reachable")(space.parse(arch)) for arch in listed)
    assert len(set(listed)) == 9445
