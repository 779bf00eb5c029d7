"""What holds for every search space."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from naslib_swap import spaces
from naslib_swap.errors import SwapError
from naslib_swap.spaces.depth import weighted_depth

SEEDS = st.integers(0, 2**32 - 1)
NAMES = st.sampled_from(spaces.names())


def test_names() -> None:
    assert spaces.names() == (
        "autoformer_base",
        "autoformer_small",
        "autoformer_tiny",
        "darts",
        "nasbench101",
        "nasbench201",
        "nasbench301",
        "pit",
        "transbench101_macro",
        "transbench101_micro",
        "vitbench_autoformer",
    )
    assert all(spaces.get(name).name == name for name in spaces.names())


def test_unknown_space() -> None:
    with pytest.raises(SwapError, match=r"'nasbench202', expected one of autoformer_base, "):
        spaces.get("nasbench202")


def is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(is_plain, value))
    return type(value) in (int, str)


@pytest.mark.parametrize(
    "name", ["nasbench101", "nasbench201", "nasbench301", "vitbench_autoformer", "pit"]
)
def test_sides(name: str) -> None:
    """The smallest images that are allowed can be scored; those between two steps cannot."""
    space = spaces.get(name)
    first, second = space.sides[:2]
    net = space.build(space.parse(space.example), num_classes=10)

    def run(side: int) -> None:
        with torch.no_grad():
            net(torch.zeros(2, 3, side, side))

    run(first)
    run(second)
    for side in {first // 2, first + 1} - {second}:
        with pytest.raises((SwapError, RuntimeError)):
            run(side)


@given(NAMES, SEEDS)
def test_round_trip(name: str, seed: int) -> None:
    space = spaces.get(name)
    arch = space.sample(np.random.default_rng(seed))
    assert isinstance(arch, tuple)
    assert is_plain(arch)
    assert space.parse(space.encode(arch)) == arch
    assert hash(arch) == hash(space.parse(f"  {space.encode(arch)}\n"))


@given(NAMES, SEEDS)
def test_mutation_gives_another_valid_architecture(name: str, seed: int) -> None:
    space, rng = spaces.get(name), np.random.default_rng(seed)
    arch = space.sample(rng)
    for _ in range(3):
        child = space.mutate(arch, rng)
        assert child != arch
        assert is_plain(child)
        assert space.parse(space.encode(child)) == child
        arch = child


@given(NAMES, SEEDS)
def test_crossover_gives_a_valid_architecture(name: str, seed: int) -> None:
    space, rng = spaces.get(name), np.random.default_rng(seed)
    a, b = space.sample(rng), space.sample(rng)
    child = space.crossover(a, b, rng)
    assert is_plain(child)
    assert space.parse(space.encode(child)) == child
    assert space.crossover(a, a, rng) == a


@given(NAMES, SEEDS)
def test_moves_depend_on_the_generator_alone(name: str, seed: int) -> None:
    space = spaces.get(name)

    def moves() -> list[Any]:
        rng = np.random.default_rng(seed)
        a, b = space.sample(rng), space.sample(rng)
        return [a, b, space.mutate(a, rng), space.crossover(a, b, rng)]

    assert moves() == moves()


@given(NAMES, SEEDS)
@settings(max_examples=8)
def test_counts_agree_with_the_network(name: str, seed: int) -> None:
    space, rng = spaces.get(name), np.random.default_rng(seed)
    arch = space.mutate(space.sample(rng), rng)
    variant = space.variants[int(rng.integers(len(space.variants)))]
    classes, channels = int(rng.integers(1, 20)), int(rng.integers(1, 5))
    with torch.device("meta"):
        net = space.build(arch, variant=variant, num_classes=classes, in_channels=channels)
        default = space.build(arch)
    counted = space.parameters(arch, variant=variant, num_classes=classes, in_channels=channels)
    assert counted == sum(parameter.numel() for parameter in net.parameters())
    assert space.depth(arch) == weighted_depth(default)


@pytest.mark.parametrize("name", spaces.names())
def test_build_is_deterministic(name: str) -> None:
    space = spaces.get(name)
    arch = space.parse(space.example)

    def drawn(seed: int) -> list[nn.Parameter]:
        torch.manual_seed(seed)
        return list(space.build(arch).parameters())

    first = drawn(7)
    assert all(map(torch.equal, first, drawn(7)))
    assert not all(map(torch.equal, first, drawn(8)))


@pytest.mark.parametrize("key", sorted((n, t) for n in spaces.names() for t in spaces.get(n).tasks))
def test_network_of_each_task_runs(key: tuple[str, str]) -> None:
    space, spec = spaces.get(key[0]), spaces.get(key[0]).task(key[1])
    arch = space.parse(space.example)
    with torch.device("meta"):
        net = space.build(
            arch,
            variant=spec.variant,
            num_classes=spec.num_classes,
            in_channels=spec.in_channels,
        )
        output = net.eval()(torch.empty(2, *spec.input_shape))
    maps = spec.target in ("class map", "image")
    assert output.shape == (2, spec.num_classes, *(spec.input_shape[1:] if maps else ()))


def test_unknown_task() -> None:
    with pytest.raises(SwapError, match="expected one of cifar10, cifar100, ImageNet16-120"):
        spaces.get("nasbench201").task("imagenet")
    with pytest.raises(SwapError, match="got the search space 'nasbench1'"):
        spaces.get("nasbench1").task("cifar10")


NONSENSE = [
    "",
    "(",
    "(0, 1",
    "None",
    "(1.5, 0, 0, 0, 0, 0)",
    "(True, False, True, True, True, True)",
    "(9, 9, 9, 9, 9, 9)",
    "(-1, 0, 0, 0, 0, 0)",
    "__import__('os').system('true')",
    "Genotype(normal=[], normal_concat=[], reduce=[], reduce_concat=[])",
    "|nor_conv_3x3~0|+|nor_conv_3x3~1|",
    "(" * 5000,
    "[" * 30_000,
    "\0",
    "(((0, 0), (0, 0)), ((0, 0), (0, 0)))",
]


@pytest.mark.parametrize("name", spaces.names())
@pytest.mark.parametrize("text", [*NONSENSE, None, 3, (0, 1)])
def test_nonsense_is_refused_with_an_example(name: str, text: Any) -> None:
    space = spaces.get(name)
    with pytest.raises(
        SwapError, match=r"(?s)is no .* architecture: expected .*, such as "
    ) as error:
        space.parse(text)
    assert space.example in str(error.value)
    assert len(str(error.value)) < 1500


@given(NAMES, st.text(max_size=60))
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    try:
        arch = spaces.get(name).parse(text)
    except SwapError:
        return
    assert spaces.get(name).parse(spaces.get(name).encode(arch)) == arch


@pytest.mark.parametrize("name", spaces.names())
def test_foreign_architectures_are_refused(name: str) -> None:
    space, rng = spaces.get(name), np.random.default_rng(0)
    for foreign in [(), (1, 2), "text", None, ((1, 2), 3), [9] * 6]:
        for use in (space.encode, space.depth, space.build, space.parameters):
            with pytest.raises(SwapError, match="expected"):
                use(foreign)
        with pytest.raises(SwapError, match="expected"):
            space.mutate(foreign, rng)
        with pytest.raises(SwapError, match="expected"):
            space.crossover(space.parse(space.example), foreign, rng)


@pytest.mark.parametrize("name", spaces.names())
def test_bad_settings_of_a_network(name: str) -> None:
    space = spaces.get(name)
    arch = space.parse(space.example)
    for make in (space.build, space.parameters):
        with pytest.raises(
            SwapError, match=f"no variant 'huge': expected one of {space.variants[0]}"
        ):
            make(arch, variant="huge")
        with pytest.raises(SwapError, match="num_classes is 0: expected at least 1"):
            make(arch, num_classes=0)
        with pytest.raises(SwapError, match="in_channels is -3: expected at least 1"):
            make(arch, in_channels=-3)


def test_weighted_depth_by_hand() -> None:
    class TwoPaths(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.long = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
            self.short = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.long(x) + self.short(x) + self.short(torch.zeros_like(self.long(x)))

    assert weighted_depth(TwoPaths()) == 2
    assert weighted_depth(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU())) == 1
    assert weighted_depth(nn.Identity()) == 0
