"""L-SWAG by hand, and against gradients taken image by image."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naslib_swap import spaces, swap_score
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring import Architecture, conditions_for
from naslib_swap.scoring.network import score_network
from naslib_swap.scoring.recipe import Recipe
from naslib_swap.scoring.record import Score

SAMPLES = 6
ON = ("nasbench201", "cifar10")


def score(net: nn.Module, images: Tensor, labels: Tensor, **options: Any) -> Score:
    batch = SimpleNamespace(images=images, labels=labels)
    return score_network(Probe(net, batch, settings=options), ["l_swag"])["l_swag"]


def one_layer() -> nn.Sequential:
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
    nn.init.eye_(net[0].weight)
    return net


IMAGES = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
SQUARES = {"loss": "mse", "targets": torch.zeros(2, 2)}


def test_one_layer_by_hand() -> None:
    # y = relu(x) and L_i = (y1^2 + y2^2) / 2, so that dL_i/dW = y_i x_i^T: [[1, 2], [2, 4]] and
    # [[9, -3], [0, 0]]. Their sizes deviate by [[4, .5], [1, 2]]. Unit 1 fires on both images,
    # unit 2 on the first: two patterns.
    found = score(one_layer(), IMAGES, torch.zeros(2, dtype=torch.int64), **SQUARES)
    assert found.value == pytest.approx(2 * math.log(1 / 4 + 1 / 0.5 + 1 / 1 + 1 / 2))
    assert found.saturation == 1


def test_weights_whose_gradient_does_not_vary_are_left_out() -> None:
    # [[1, 2], [2, 4]] and [[1, -2], [0, 0]]: the second column of unit 1 has equal sizes, so has
    # the first.
    images = torch.tensor([[1.0, 2.0], [1.0, -2.0]])
    found = score(one_layer(), images, torch.zeros(2, dtype=torch.int64), **SQUARES)
    assert found.value == pytest.approx(2 * math.log(1 / 1 + 1 / 2))


def test_a_negative_lambda_turns_the_product_round() -> None:
    found = score(one_layer(), 10 * IMAGES, torch.zeros(2, dtype=torch.int64), **SQUARES)
    assert found.value == pytest.approx(2 * math.log(3.75 / 100))


class Branches(nn.Module):
    """Batch norm, a layer called twice, one that the loss does not reach."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.again = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.unused = nn.Conv2d(4, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(F.relu(self.again(self.stem(x))))
        return self.head(F.relu(self.norm(x)).mean((2, 3)))


def minibatch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(SAMPLES, 2, 8, 8, generator=generator, dtype=torch.float64)
    return images, torch.arange(SAMPLES) % 3


def frozen(images: Tensor) -> Branches:
    """The network in eval mode, its running statistics those of the batch."""
    net = Branches().double().train()
    for norm in (net.stem[1], net.norm):
        norm.momentum = 1.0
    net(images)
    values = SAMPLES * 64
    for norm in (net.stem[1], net.norm):
        norm.running_var *= (values - 1) / values  # kept unbiased, used biased
    return net.eval()


def steadiness(rows: list[Tensor]) -> float:
    """Log of the sum over weights of 1 / std |g|, the plain way."""
    return math.log(float((1 / torch.stack(rows).abs().std(0, correction=0)).sum()))


def expected(images: Tensor, labels: Tensor, chosen: str) -> float:
    net = frozen(images)
    weights = [getattr(net, name) for name in chosen.split()]
    weights = [
        (layer[0] if isinstance(layer, nn.Sequential) else layer).weight for layer in weights
    ]
    rows = [
        torch.autograd.grad(F.cross_entropy(net(image[None]), label[None]), weights)
        for image, label in zip(images, labels)
    ]
    return sum(steadiness(list(layer)) for layer in zip(*rows))


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({}, "stem again head"),
        ({"l_swag_interval": (0, 0.5)}, "stem again"),  # bins 0, 2, 5 (unused), 7
        ({"l_swag_interval": [0.1, 0.8]}, "again head"),
    ],
)
def test_variance_over_images_equals_gradients_image_by_image(options: Any, chosen: str) -> None:
    images, labels = minibatch()
    net = Branches().double()
    psi = swap_score(net, images).score
    found = score(net, images, labels, **options)
    assert found.value == pytest.approx(psi * expected(images, labels, chosen), rel=1e-9)


def test_variance_over_minibatches_is_that_of_their_gradients() -> None:
    images, labels = minibatch()
    net = Branches().double().train()
    weights = [net.stem[0].weight, net.again.weight, net.head.weight]
    rows = [
        torch.autograd.grad(F.cross_entropy(net(images[part]), labels[part]), weights)
        for part in (slice(0, 2), slice(2, 4), slice(4, 6))
    ]
    total = sum(steadiness(list(layer)) for layer in zip(*rows))
    found = score(net, images, labels, l_swag_variance="batches", zico_batches=3)
    assert found.value == pytest.approx(swap_score(net, images).score * total, rel=1e-9)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"l_swag_variance": "pixels"}, "got l_swag_variance 'pixels', expected one of samples, b"),
        ({"l_swag_interval": (0.5, 0.5)}, "got l_swag_interval (0.5, 0.5), expected two fractions"),
        ({"l_swag_interval": 3}, "got l_swag_interval 3, expected two fractions of the depth"),
        ({"l_swag_interval": (0.9, 1)}, "no gradient varies in the layers of l_swag_interval"),
        ({"l_swag_interval": (0.5, 0.6)}, "the output does not depend on the images by way of"),
        (
            {"l_swag_variance": "batches", "zico_batches": 4},
            "6 images cannot be cut into 4 equal minibatches for L-SWAG",
        ),
    ],
)
def test_what_cannot_be_says_so(options: Any, reason: str) -> None:
    found = score(Branches().double(), *minibatch(), **options)
    assert found.value is None
    assert str(found.error).startswith(reason)


def test_equal_images_do_not_vary() -> None:
    images, labels = minibatch()
    same = images[:1].expand(4, -1, -1, -1)
    found = score(Branches().double(), same, labels[:1].expand(4))
    assert str(found.error).startswith("no gradient varies")


def test_the_interval_is_the_spaces_unless_it_is_given() -> None:
    given = conditions_for(*ON, names=["l_swag"])
    assert given.settings == {"l_swag_interval": spaces.get(ON[0]).gradient_interval}
    assert conditions_for(*ON, names=["swap"]).settings == {}
    own = conditions_for(*ON, names=["l_swag"], l_swag_interval=(0.5, 1.0))
    assert own.settings == {"l_swag_interval": (0.5, 1.0)}


def test_the_interval_comes_back_from_a_store_as_it_was() -> None:
    subject = Architecture(*ON, "(0, 2, 3, 2, 3, 1)")
    recipe = Recipe.of(subject, "l_swag", conditions_for(*ON, names=["l_swag"]), 0)
    assert recipe.settings == (("l_swag_interval", spaces.get(ON[0]).gradient_interval),)
    assert Recipe.read(json.loads(json.dumps(recipe.plain()))) == recipe
    whole = conditions_for(*ON, names=["l_swag"], l_swag_interval=(0.0, 1.0))
    assert Recipe.of(subject, "l_swag", whole, 0).id != recipe.id
