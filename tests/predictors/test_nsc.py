"""NSC: its closed form against integrals and random matrices, and which maps count."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from naslib_swap.predictors.nsc import capacity
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring import Architecture
from naslib_swap.scoring import score as score_subject
from naslib_swap.scoring.network import score_network
from naslib_swap.scoring.record import Score


def score(net: nn.Module, num_classes: int | None = None, **settings: Any) -> Score:
    batch = SimpleNamespace(images=torch.zeros(2, 3, 8, 8), labels=torch.zeros(2).long())
    return score_network(Probe(net, batch, num_classes=num_classes, settings=settings), ["nsc"])[
        "nsc"
    ]


def integral(m: int, n: int, variance: float) -> float:
    """p E log(1 + q s^2 x) over the density of Marchenko and Pastur, by the midpoint rule."""
    p, q = min(m, n), max(m, n)
    ratio = p / q
    low, high = (1 - math.sqrt(ratio)) ** 2, (1 + math.sqrt(ratio)) ** 2
    # x = low + (high - low) sin^2(t) takes the roots' steep ends away.
    steps = 200_000
    t = (np.arange(steps) + 0.5) * math.pi / 2 / steps
    x = low + (high - low) * np.sin(t) ** 2
    slope = 2 * (high - low) * np.sin(t) * np.cos(t)
    density = np.sqrt((high - x) * (x - low)) / (2 * math.pi * ratio * x)
    return p * float((np.log1p(q * variance * x) * density * slope).sum() * math.pi / 2 / steps)


@pytest.mark.parametrize("shape", [(64, 64), (64, 192), (768, 64), (16, 27), (1, 500)])
@pytest.mark.parametrize("law", ["xavier", "kaiming", 0.02])
def test_the_closed_form_is_the_integral(shape: tuple[int, int], law: Any) -> None:
    m, n = shape
    variance = {"xavier": 2 / (m + n), "kaiming": 2 / n, 0.02: 0.0004}[law]
    assert capacity(m, n, law) == pytest.approx(integral(m, n, variance), rel=1e-6)


@pytest.mark.parametrize("shape", [(120, 120), (80, 240), (240, 80)])
@pytest.mark.parametrize("law", ["xavier", "kaiming"])
def test_random_matrices_have_that_capacity(shape: tuple[int, int], law: str) -> None:
    m, n = shape
    deviation = math.sqrt(2 / (m + n) if law == "xavier" else 2 / n)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(5):
        eigenvalues = np.linalg.svd(deviation * rng.standard_normal((m, n)))[1] ** 2
        found.append(np.log1p(eigenvalues).sum())
    assert capacity(m, n, law) == pytest.approx(np.mean(found), rel=0.01)


def test_convolutions_are_matrices_of_their_kernels() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 5), nn.BatchNorm2d(8), nn.Conv2d(8, 12, 3, groups=4, bias=False),
        nn.ConvTranspose2d(12, 6, 2), nn.Flatten(), nn.Linear(7, 5), nn.Linear(5, 10),
    )  # fmt: skip
    expected = capacity(8, 75) + 4 * capacity(3, 18) + capacity(12, 24) + capacity(5, 7)
    assert score(net).value == pytest.approx(expected)
    assert score(net, 10).value == pytest.approx(expected)
    assert score(net, 99).value == pytest.approx(expected + capacity(10, 5))
    assert score(net, nsc_law=0.02).value == pytest.approx(
        capacity(8, 75, 0.02) + 4 * capacity(3, 18, 0.02) + capacity(12, 24, 0.02)
        + capacity(5, 7, 0.02)
    )  # fmt: skip


class Attention(nn.Module):
    """As HuggingFace's: a number of heads, and their projections by name."""

    def __init__(self) -> None:
        super().__init__()
        self.num_attention_heads = 4
        self.query, self.key, self.value = (nn.Linear(12, 8) for _ in range(3))
        self.qkv = nn.Linear(12, 48)
        self.other = nn.Linear(12, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_attention_counts_head_by_head() -> None:
    expected = 3 * 4 * capacity(2, 12) + 3 * 4 * capacity(4, 12) + capacity(8, 12)
    assert score(Attention()).value == pytest.approx(expected)
    whole = nn.Sequential(nn.Embedding(9, 12), nn.MultiheadAttention(12, 3), nn.Linear(12, 2))
    assert score(whole).value == pytest.approx(3 * 3 * capacity(4, 12) + capacity(12, 12))


def test_what_has_no_maps_and_unknown_laws_say_so() -> None:
    assert score(nn.Linear(3, 2)).error == (
        "Linear has no convolution or linear layer beside its classifier; NSC looks at their shapes"
    )
    net = nn.Conv2d(3, 4, 1)
    for law in ("he", 0, -1.0):
        assert f"got nsc_law {law!r}, expected xavier, kaiming" in str(
            score(net, nsc_law=law).error
        )


def test_no_weights_are_drawn_for_an_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    arch = Architecture("nasbench201", "cifar10", "(0, 2, 3, 2, 3, 1)")
    whole = score_subject(arch, ["l2_norm", "nsc"])["nsc"].value

    def refuse(self: Architecture, seed: int) -> torch.nn.Module:
        raise AssertionError("built")

    monkeypatch.setattr(Architecture, "build", refuse)
    assert score_subject(arch, ["nsc"])["nsc"].value == whole
