"""The search for ImageNet: what is scored, what is built of it, and that this can be trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from naslib_swap import inputs, spaces
from naslib_swap.optimizers.native import search
from naslib_swap.optimizers.plan import SearchPlan
from naslib_swap.score import count_parameters

DARTS = spaces.get("darts")
PLAN = SearchPlan(
    task="imagenet",
    mu=25.0,
    sigma=25.0,
    population=4,
    mutations=2,
    cycles=2,
    samples=6,
    repeats=1,
    resolution=16,
)


def test_25_thousand_parameters_are_the_head_of_a_thousand_classes():
    """The tiny cell has at most 3 thousand; 24 x 1000 weights and 1000 biases are left."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        arch = DARTS.sample(rng)
        cifar, imagenet = (
            DARTS.parameters(arch, variant="tiny", num_classes=classes) for classes in (10, 1000)
        )
        assert imagenet - 25_000 == cifar - 250
        assert 0 < cifar - 250 < 3000


@pytest.mark.slow
def test_a_found_cell_has_the_stated_size_and_can_be_trained():
    found = search(PLAN)
    arch = DARTS.parse(found.best.arch)
    assert 25_000 < found.sizes["search"] < 28_000
    torch.manual_seed(0)
    net = DARTS.build(arch, variant="imagenet", num_classes=1000)
    assert count_parameters(net) == found.sizes["imagenet"]
    batch = inputs.load("natural", samples=4, shape=(3, 64, 64), num_classes=1000)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    losses = []
    for _ in range(12):
        optimiser.zero_grad()
        loss = cross_entropy(net(batch.images), batch.labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
