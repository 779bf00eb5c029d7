"""VKDNW: the Fisher information against torch's Jacobian, its spectrum by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev

from naslib_swap.predictors.passes.drawn_weights import drawn_weights, kaiming
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.predictors.vkdnw_entropy import factor, fisher_information, spectral_entropy
from naslib_swap.scoring.network import score_network
from naslib_swap.scoring.record import Score


def probe(net: nn.Module, shape: tuple[int, ...] = (2, 8, 8), **settings: Any) -> Probe:
    images = torch.zeros((2, *shape), dtype=torch.float64)  # only their shape matters
    batch = SimpleNamespace(images=images, labels=torch.zeros(2, dtype=torch.long))
    settings.setdefault("vkdnw_samples", 5)
    return Probe(net, batch, seed=3, settings=settings)


def score(net: nn.Module, name: str = "vkdnw_entropy", **settings: Any) -> Score:
    return score_network(probe(net, **settings), [name])[name]


class Network(nn.Module):
    """Each kind of layer, a layer called twice, writing in place, a dead end that feeds the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, stride=2, padding=1, padding_mode="circular")
        self.norm = nn.BatchNorm2d(4)
        self.twice = nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2, bias=False)
        self.dead = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.groups = nn.GroupNorm(2, 4)
        self.tokens = nn.LayerNorm(4)
        self.head = nn.Linear(4, 3)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.norm(self.stem(x)))
        x = torch.relu_(self.twice(x)) + self.twice(x.clone())
        x += self.dead(torch.zeros_like(x))
        tokens = self.tokens(self.groups(x).flatten(2).mT)
        return self.head(tokens).mean(1)


def directly(of: Probe, tensors: int, entries: int) -> Tensor:
    """mean_n J^T S J with the whole Jacobian of every image, then the entries' columns."""
    net = of.net.eval()
    generator = torch.Generator().manual_seed(of.seed)
    drawn = drawn_weights(net, generator, kaiming)
    images = torch.randn(5, 2, 8, 8, generator=generator).double()
    buffers = {
        name: torch.full_like(buffer, float("var" in name)) for name, buffer in net.named_buffers()
    }

    def outputs(parameters: dict[str, Tensor], image: Tensor) -> Tensor:
        return functional_call(net, {**parameters, **buffers}, (image[None],))[0]

    total: Any = 0
    for image in images:
        jacobian = jacrev(outputs)(drawn, image)
        columns = [
            jacobian[name].flatten(1)[:, int(place)]
            for name, parameter in list(net.named_parameters())[:tensors]
            for place in sorted({int(p) for p in np.linspace(0, parameter.numel() - 1, entries)})
        ]
        j = torch.stack(columns, 1)
        q = 0.95 * outputs(drawn, image).softmax(0) + 0.05 / 3
        total = total + j.T @ (torch.diag(q) - torch.outer(q, q)) @ j
    return total / len(images)


@pytest.mark.parametrize(("tensors", "entries"), [(128, 1), (128, 3), (4, 1)])
def test_the_fisher_information_is_that_of_torchs_jacobian(tensors: int, entries: int) -> None:
    of = probe(Network().double(), vkdnw_tensors=tensors, vkdnw_entries=entries)
    found = fisher_information(of)
    expected = directly(of, tensors, entries)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, rtol=1e-6, atol=1e-9)
    assert found.diagonal().count_nonzero() > 3


def test_the_factor_of_the_covariance() -> None:
    q = torch.tensor([[0.5, 0.25, 0.25], [0.98, 0.01, 0.01]], dtype=torch.float64)
    lower = factor(q)
    assert lower.shape == (2, 3, 2)
    assert torch.allclose(lower @ lower.mT, torch.diag_embed(q) - q[:, :, None] * q[:, None, :])
    # By hand: sqrt(.5 * .5), -.25 sqrt(.5 / .5), sqrt(.25 * .25 / .5).
    expected = torch.tensor([[0.5, 0], [-0.25, 0.125**0.5], [-0.25, -(0.125**0.5)]]).double()
    assert torch.allclose(lower[0], expected)


def test_the_entropy_of_a_spectrum() -> None:
    assert spectral_entropy(torch.ones(4).double()) == pytest.approx(math.log(9))
    # Ten quantiles .0 to .9 of 0, 10, ... are 0, 9, ...; shares 1/45, 2/45, ...
    values = torch.arange(11).double() * 10
    shares = [k / 45 for k in range(1, 10)]
    assert spectral_entropy(values) == pytest.approx(-sum(s * math.log(s) for s in shares))
    assert spectral_entropy(torch.zeros(3).double()) == 0


def test_the_single_score_sorts_by_tensors_then_by_entropy() -> None:
    net = Network()
    found = score_network(probe(net), ["vkdnw", "vkdnw_entropy"])
    entropy = found["vkdnw_entropy"].value
    assert entropy is not None
    assert 0 < entropy < math.log(9)
    tensors = len(list(net.parameters()))
    assert tensors == 17
    assert found["vkdnw"].value == pytest.approx(tensors + entropy / math.log(9))


def test_neither_weights_nor_statistics_of_the_network_matter() -> None:
    net = Network()
    before = score(net).value
    net(torch.randn(4, 2, 8, 8))
    nn.init.zeros_(net.stem.weight)
    assert score(net).value == before


class Token(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(2, 1, 1))
        self.head = nn.Linear(128, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x + self.token).flatten(1))


def test_networks_that_it_does_not_fit() -> None:
    assert str(score(Token()).error).startswith("a Token has parameters of its own; gradients by")
    mixing = nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False), nn.Flatten())
    assert "images mix in eval mode" in str(score(mixing).error)
    decoder = nn.Conv2d(2, 3, 1)
    assert "gave [5, 3, 8, 8], expected scores of two" in str(score(decoder).error)
    folding = nn.Sequential(nn.Flatten(0, 1), nn.Flatten(), nn.Linear(64, 3))
    assert "a Linear gave 10 rows for 5 images" in str(score(folding).error)
    assert score(decoder, vkdnw_samples=0).error == (
        "got vkdnw_samples 0, expected a whole number of at least 1."
    )
