"""Proxies on the networks of the vision transformer spaces."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from naslib_swap import spaces
from naslib_swap.predictors.nsc import capacity
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring.network import score_network
from naslib_swap.scoring.record import Score

SPACES = ("autoformer_tiny", "vitbench_autoformer", "pit")
WIDTH, LAYERS = 192, ((3, 7),) * 11 + ((4, 8),)


def scores(net: nn.Module, names: list[str], pixels: int = 32) -> dict[str, Score]:
    images = torch.randn(4, 3, pixels, pixels, generator=torch.Generator().manual_seed(0))
    batch = SimpleNamespace(images=images, labels=torch.arange(4))
    return score_network(Probe(net, batch, num_classes=10), names)


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    space = spaces.get(name)
    return space.build(space.parse(space.example))


@pytest.mark.parametrize("name", SPACES)
def test_every_kind_of_pass_runs(name: str) -> None:
    names = ["swap", "nwot", "expressivity", "near", "l_swag", "dss", "zico", "synflow", "w_pca"]
    names += [] if name == "pit" else ["trainability"]
    net = network(name)
    if name != "pit":  # nine blocks before them are of the same kinds
        net.blocks = net.blocks[-3:]
    for proxy, found in scores(net, names).items():
        assert found.error is None, proxy
        assert found.value, proxy


def test_what_is_not_defined_says_why() -> None:
    found = scores(network("pit"), ["trainability", "grasp", "linear_regions"])
    assert str(found["trainability"].error).startswith("a block turns 10 into 5 tokens; train")
    assert str(found["grasp"].error).startswith("GraSP needs second derivatives, but the deriv")
    assert str(found["linear_regions"].error).startswith("images of 4 x 4 pixels: expected square")


def test_nsc_counts_queries_keys_and_values_head_by_head() -> None:
    expected = capacity(WIDTH, 3 * 16 * 16)
    for heads, ratio in LAYERS:
        hidden = WIDTH * ratio // 2
        expected += 3 * heads * capacity(64, WIDTH) + capacity(WIDTH, 64 * heads)
        expected += capacity(hidden, WIDTH) + capacity(WIDTH, hidden)
    assert scores(network("autoformer_tiny"), ["nsc"])["nsc"].value == pytest.approx(expected)


def test_multiply_accumulates_by_hand() -> None:
    tokens = 1 + 2 * 2
    expected = 4 * 3 * 16 * 16 * WIDTH + WIDTH * 10
    for heads, ratio in LAYERS:
        inner = 64 * heads
        expected += tokens * (3 * inner * WIDTH + inner * WIDTH + 2 * WIDTH * (WIDTH * ratio // 2))
        # Queries by keys, shares by values, and both once more for relative positions.
        expected += 4 * tokens**2 * inner
    found = scores(network("autoformer_tiny"), ["flops"])["flops"].value
    assert found == pytest.approx(expected / 1e6)


def test_nwot_takes_gelus_as_relus() -> None:
    class Net(nn.Module):
        def __init__(self, activation: nn.Module) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(12, 20), activation)

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)

    gelu, relu = (scores(Net(a), ["nwot"], 2)["nwot"].value for a in (nn.GELU(), nn.ReLU()))
    assert gelu == relu
