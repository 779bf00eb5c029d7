"""L-SWAG divided by a power of the number of its layers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from naslib_swap import spaces
from naslib_swap.predictors import l_swag
from naslib_swap.predictors.passes.layers import weighted_layers
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring import Architecture, conditions_for, score
from naslib_swap.scoring.images import Images
from naslib_swap.scoring.network import score_network

BOTH = ("scaled_l_swag", "l_swag")


class Unreached(nn.Sequential):
    """Its last layer is not on the way to the output."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self[1](self[0](images))


def unreached() -> nn.Module:
    net = Unreached(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 2))
    nn.init.eye_(net[0].weight)
    return net


def batch() -> SimpleNamespace:
    images = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    return SimpleNamespace(images=images, labels=torch.zeros(2, dtype=torch.int64))


SETTINGS = {"loss": "mse", "targets": torch.zeros(2, 2)}


def test_layers_that_the_loss_does_not_reach_count_by_hand() -> None:
    found = score_network(Probe(unreached(), batch(), settings=SETTINGS), BOTH)
    assert found["scaled_l_swag"].value == pytest.approx(found["l_swag"].value / 2**0.75)
    assert found["scaled_l_swag"].saturation == found["l_swag"].saturation == 1


@pytest.mark.parametrize("interval", [(0.0, 0.2), (0.0, 1.0)])
def test_layers_in_the_interval_divide_it(interval: tuple[float, float]) -> None:
    arch = Architecture("nasbench201", "cifar10", "(3, 1, 4, 2, 0, 3)")
    conditions = conditions_for(
        "nasbench201", "cifar10", images=Images(samples=4), names=BOTH, l_swag_interval=interval
    )
    found = score(arch, BOTH, conditions)
    layers = len(weighted_layers(arch.outline()))
    within = sum(10 * index // layers < 10 * interval[1] for index in range(layers))
    assert found["scaled_l_swag"].value == pytest.approx(found["l_swag"].value / within**0.75)


def test_spaces_bring_the_interval_of_l_swag() -> None:
    settings = conditions_for("nasbench201", "cifar10", names=["scaled_l_swag"]).settings
    assert settings == {"l_swag_interval": spaces.get("nasbench201").gradient_interval}


def test_both_are_computed_once_and_the_time_is_charged_to_each(monkeypatch) -> None:
    calls = []
    computed = l_swag.layer_values
    monkeypatch.setattr(l_swag, "layer_values", lambda *given: calls.append(1) or computed(*given))
    found = score_network(Probe(unreached(), batch(), settings=SETTINGS), BOTH)
    assert len(calls) == 1
    assert min(one.seconds for one in found.values()) > 0


def test_what_l_swag_cannot_score_is_said_in_its_words() -> None:
    blind = SimpleNamespace(images=torch.ones(2, 2), labels=torch.zeros(2, dtype=torch.int64))
    found = score_network(Probe(unreached(), blind, settings=SETTINGS), BOTH)
    assert found["scaled_l_swag"].value is None
    assert found["scaled_l_swag"].error == found["l_swag"].error
    assert "no gradient varies" in str(found["l_swag"].error)
