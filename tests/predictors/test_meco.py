"""MeCo: eigenvalues by hand, and a network module by module."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from naslib_swap.predictors.meco import smallest_eigenvalues
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring.network import score_network
from naslib_swap.scoring.record import Score


def score(net: nn.Module, *shape: int, seed: int = 0, **settings: Any) -> Score:
    images = torch.zeros((2, *shape), dtype=torch.float64)
    batch = SimpleNamespace(images=images, labels=torch.zeros(2).long())
    return score_network(Probe(net, batch, seed=seed, settings=settings), ["meco"])["meco"]


def test_smallest_eigenvalues_by_hand() -> None:
    apart = [[1, -1, 1, -1], [1, 1, -1, -1.0]]  # correlation 0: eigenvalues 1, 1
    alike = [[1, 2, 3, 5], [2, 4, 6, 10.0]]  # correlation 1: eigenvalues 0, 2
    half = [[1, -1, 0, 0], [1, 0, -1, 0.0]]  # correlation 1/2: eigenvalues 1/2, 3/2
    constant = [[1, -1, 1, -1], [0.1, 0.1, 0.1, 0.1]]  # correlation 0, also with itself
    bad = [[1, -1, 1, -1], [math.inf, 0, 0, 0]]
    found = smallest_eigenvalues(torch.tensor([apart, alike, half, constant, bad]))
    assert found.tolist() == pytest.approx([1, 0, 0.5, 0, 0], abs=1e-6)


def plainly(feature: Tensor) -> float:
    """The smallest eigenvalue of numpy's correlations of one image's channels."""
    with np.errstate(invalid="ignore"):
        rows = np.corrcoef(feature[0].flatten(1).detach().numpy())
    return float(np.linalg.eigvals(np.nan_to_num(np.atleast_2d(rows))).real.min())


def test_a_network_module_by_module() -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
    net = nn.Sequential(
        body, nn.Conv2d(4, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    ).double()
    images = torch.randn(5, 2, 6, 6, generator=torch.Generator().manual_seed(7)).double()
    expected = 0.0
    for image in images.split(1):
        convolved = body[0](image)
        normalised = body[1](convolved)
        active = normalised.clamp_min(0)
        after = net[1](active)
        # The activation once more, as the output of the body that holds it; pools are constant.
        expected += sum(map(plainly, (convolved, normalised, active, active, after)))
    found = score(net, 2, 6, 6, seed=7)
    assert found.error is None
    assert found.value == pytest.approx(expected / 5, rel=1e-6)


def test_features_of_tokens_are_channels() -> None:
    net = nn.Identity()
    images = torch.randn(1, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    found = score(net, 6, 3, meco_draws=1)
    assert found.value == pytest.approx(plainly(images.mT), rel=1e-6)


def test_what_has_no_maps_and_wrong_draws_say_so() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(8, 2)).double()
    assert "no module of Sequential gave" in str(score(net, 2, 2, 2).error)
    assert score(net, 2, 2, 2, meco_draws=0).error == (
        "got meco_draws 0, expected a whole number of at least 1."
    )
