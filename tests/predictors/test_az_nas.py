"""AZ-NAS's parts against their definitions, computed the plain way."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.expressivity import entropy
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.predictors.passes.stages import blocks, recorded, rows_of, stages
from naslib_swap.predictors.trainability import trainability
from naslib_swap.scoring.network import score_network

PARTS = ("expressivity", "mean_expressivity", "last_expressivity", "progressivity", "trainability")


class Block(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(torch.relu(x)))


class Same(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def network(*middle: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        *(middle or (Block(4, 4), Block(4, 6, 2), Block(6, 6))),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    ).double()


def probe(net: nn.Module, seed: int = 0, **settings: object) -> Probe:
    batch = SimpleNamespace(images=torch.randn(5, 2, 8, 8), labels=torch.arange(5) % 3)
    return Probe(net, batch, seed=seed, settings={"stage_samples": 6, **settings})


def values(net: nn.Module, **options: object) -> dict[str, float | str | None]:
    found = score_network(probe(net, **options), PARTS)
    return {name: one.error if one.value is None else one.value for name, one in found.items()}


def test_entropy_by_hand():
    # Two channels of variances 3 : 1 that do not covary: p = 3/4, 1/4.
    feature = torch.tensor([[3.0, 1], [-3, 1], [3, -1], [-3, -1]]).sqrt_().nan_to_num()
    rows = torch.tensor([[1.0, 1], [-1, 1], [1, -1], [-1, -1]]) * torch.tensor([3.0, 1]).sqrt()
    assert feature.shape == rows.shape
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert entropy(rows.T.reshape(1, 2, 2, 2)) == pytest.approx(expected, abs=1e-6)
    assert entropy(rows[None]) == pytest.approx(expected, abs=1e-6)  # as tokens of one sample
    assert entropy(torch.ones(2, 3, 4, 4)) == 0.0


def test_trainability_by_hand():
    # Half the signs come back: the channels' matrix is I/2 times E[signs^2] = 1, so s = 1/2.
    signs = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])[None]
    assert trainability(0.5 * signs, signs) == pytest.approx(2 - 0.5 - 2, abs=1e-5)
    assert trainability(signs, signs) == pytest.approx(0.0, abs=1e-5)  # s = 1, the largest


def test_all_parts_equal_a_plain_computation():
    net = network()
    features = stages(probe(net))
    assert [list(f.shape[1:]) for f in features] == [[4, 8, 8], [4, 8, 8], [6, 4, 4], [6, 4, 4]]
    entropies = []
    for feature in features:
        rows = np.moveaxis(feature.detach().numpy(), 1, -1).reshape(-1, feature.shape[1])
        eigenvalues = np.linalg.eigvalsh(np.cov(rows.T))
        shares = eigenvalues / eigenvalues.sum()
        entropies.append(-(shares * np.log(shares + 1e-8)).sum())
    found = values(net)
    assert found["expressivity"] == pytest.approx(sum(entropies))
    assert found["mean_expressivity"] == pytest.approx(np.mean(entropies))
    assert found["last_expressivity"] == pytest.approx(entropies[-1])
    assert found["progressivity"] == pytest.approx(np.diff(entropies).min())

    generator, scores = torch.Generator().manual_seed(0), []
    for before, after in zip(features, features[1:]):
        signs = torch.randint(2, after.shape, generator=generator) * 2.0 - 1
        (gradient,) = torch.autograd.grad(after, before, signs.double(), retain_graph=True)
        if gradient.shape[2] != signs.shape[2]:
            s, c, h, w = gradient.shape
            gradient = gradient.reshape(s, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4)
            gradient = gradient.reshape(s, 4 * c, h // 2, w // 2)
        matrix = rows_of(gradient).T @ rows_of(signs.double()) / signs[:, 0].numel()
        largest = float(np.linalg.svd(matrix.numpy(), compute_uv=False)[0])
        scores.append(2 - largest - 1 / (largest + 1e-6))
    assert found["trainability"] == pytest.approx(np.mean(scores))


def test_they_depend_on_the_seed_alone():
    net, other = network(), network()
    nn.init.zeros_(other[2].conv.weight)  # the weights that a network has do not count
    assert values(net) == values(other)
    assert values(net) != values(net, seed=1)
    assert values(net) != values(net, stage_samples=4)


def test_the_head_is_neither_run_nor_counts() -> None:
    class Head(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError("the pass ends after the last block")

    net = network()
    assert values(nn.Sequential(*net[:5], Head(), nn.Linear(6, 99).double())) == values(net)


def test_a_block_that_changes_nothing_cannot_be_trained():
    found = values(network(Block(4, 6), Same(), Block(6, 6)))
    assert found["trainability"] == (
        "a block passes its input on unchanged, so that its trainability is -infinity; such a "
        "network counts as the worst"
    )
    assert isinstance(found["expressivity"], float)


def test_blocks_are_found_in_every_kind_of_stack():
    net = network()
    assert [type(b) for b in blocks(net)] == [Block] * 3
    assert blocks(nn.Sequential(net, nn.Sequential(nn.Linear(3, 3)))) == blocks(net)
    wrapped = nn.Sequential(Wrapper(nn.ModuleList([Block(4, 4), Block(4, 4)])))
    assert [type(b) for b in blocks(wrapped)] == [Block] * 2
    plain = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    assert blocks(plain) == [plain[0], plain[2]]


class Wrapper(nn.Module):
    def __init__(self, layers: nn.ModuleList) -> None:
        super().__init__()
        self.layers = layers


def test_too_few_features_are_said():
    with pytest.raises(Unscorable, match="1 features were seen in Sequential, expected two"):
        stages(probe(nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten())))


def test_hooks_are_removed_after_a_failure():
    net = network()
    with pytest.raises(ZeroDivisionError), recorded(net):
        raise ZeroDivisionError
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
