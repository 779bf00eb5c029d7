"""NEAR: effective ranks by hand, and a network layer by layer."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naslib_swap.predictors.near import effective_ranks
from naslib_swap.predictors.passes.drawn_weights import drawn_weights, kaiming
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring.network import score_network
from naslib_swap.scoring.record import Score


def score(net: nn.Module, images: Tensor, seed: int = 0, **settings: Any) -> Score:
    batch = SimpleNamespace(images=images, labels=torch.zeros(len(images), dtype=torch.long))
    return score_network(Probe(net, batch, seed=seed, settings=settings), ["near"])["near"]


def value(net: nn.Module, images: Tensor, seed: int = 0, **settings: Any) -> float:
    found = score(net, images, seed, **settings)
    assert found.error is None
    assert found.value is not None
    return found.value


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_effective_ranks_by_hand() -> None:
    equal = torch.eye(3)
    one = torch.ones(3, 3)
    two = torch.diag(torch.tensor([3.0, 1.0, 0.0]))
    bad = torch.full((3, 3), math.nan)
    zero = torch.zeros(3, 3)
    expected = [3, 1, math.exp(0.75 * math.log(4 / 3) + 0.25 * math.log(4)), 0, 0]
    found = effective_ranks(torch.stack([equal, one, two, bad, zero]))
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


def plainly(matrix: Tensor, rows: Tensor) -> float:
    """The effective rank of some rows, one step after the other."""
    values = np.linalg.svd(matrix[rows].detach().numpy(), compute_uv=False)
    shares = [v / values.sum() for v in values if v > 0]
    return math.exp(-sum(p * math.log(p) for p in shares))


def test_a_network_layer_by_layer() -> None:
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(4, 7),
    ).double()  # fmt: skip
    images, expected = noise(5, 2, 6, 6), 0.0
    generator = torch.Generator().manual_seed(3)
    for _ in range(2):
        drawn = drawn_weights(net, generator, kaiming)
        convolved = F.conv2d(images, drawn["0.weight"])
        centred = convolved - convolved.mean((0, 2, 3), keepdim=True)
        variance = centred.square().mean((0, 2, 3), keepdim=True)
        normalised = centred / (variance + 1e-5).sqrt()
        active = normalised.clamp_min(0)
        pixels = torch.randperm(16, generator=generator)[:4]  # of the first image
        for layer in (convolved, normalised, active):
            expected += plainly(layer.movedim(1, -1).reshape(-1, 4), pixels) / 2
        logits = active.mean((2, 3)) @ drawn["5.weight"].T
        expected += plainly(logits, torch.randperm(5, generator=generator)) / 2
    assert value(net, images, 3, near_repeats=2) == pytest.approx(expected, rel=1e-9)


def test_tokens_are_rows_of_features() -> None:
    net = nn.Linear(3, 4, bias=False).double()
    images = noise(2, 5, 3)
    generator = torch.Generator().manual_seed(0)
    weight = drawn_weights(net, generator, kaiming)["weight"]
    rows = torch.randperm(5, generator=generator)[:4]  # of the first sample
    expected = plainly(images.reshape(10, 3) @ weight.T, rows)
    assert value(net, images) == pytest.approx(expected, rel=1e-9)


def test_functions_and_modules_of_activation_count_alike() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(2, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return F.gelu(self.layer(x))

    modules = nn.Sequential(nn.Conv2d(2, 4, 3), nn.GELU())
    assert value(Functional(), noise(3, 2, 6, 6)) == value(modules, noise(3, 2, 6, 6))


def test_weights_that_the_network_has_do_not_matter() -> None:
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU())
    before = value(net, noise(3, 2, 6, 6))
    nn.init.zeros_(net[0].weight)
    assert value(net, noise(3, 2, 6, 6)) == before != value(net, noise(3, 2, 6, 6), seed=1)


def test_what_has_no_layers_and_wrong_repeats_say_so() -> None:
    assert "no layer of Flatten gave" in str(score(nn.Flatten(), noise(3, 2, 6, 6)).error)
    assert score(nn.Linear(2, 2), noise(3, 2), near_repeats=0).error == (
        "got near_repeats 0, expected a whole number of at least 1."
    )
