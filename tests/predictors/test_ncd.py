"""NCD against networks that are built with the masks and norms that it has."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naslib_swap import swap_score
from naslib_swap.predictors.passes.less_nonlinearity import LessNonlinearity
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring.network import score_network
from naslib_swap.scoring.record import Score
from naslib_swap.seeding import repeatable

SEED = 5


class Masked(nn.Conv2d):
    """A convolution of a masked input, written out."""

    keep = 0.05

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * torch.empty_like(x).bernoulli_(self.keep))


def network(convolution: type[nn.Conv2d] = nn.Conv2d, norm: Any = nn.BatchNorm2d) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        convolution(2, 6, 3, padding=1),
        norm(6),
        nn.ReLU(),
        convolution(6, 4, 3, stride=2),
        norm(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(36, 3),
    )


def by_sample(channels: int) -> nn.Module:
    return nn.GroupNorm(1, channels, affine=False)


def images() -> Tensor:
    return torch.randn(8, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def score(name: str, net: nn.Module, given: Tensor, **options: Any) -> Score:
    batch = SimpleNamespace(images=given, labels=torch.zeros(len(given), dtype=torch.int64))
    return score_network(Probe(net, batch, seed=SEED, settings=options), [name])[name]


def nwot(net: nn.Module, given: Tensor) -> float:
    patterns = []
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda m, i, out: patterns.append(out.flatten(1) > 0))
    with repeatable(SEED), torch.no_grad():
        net(given)
    codes = torch.cat(patterns, 1).tolist()
    kernel = [[sum(p == q for p, q in zip(a, b)) for b in codes] for a in codes]
    return float(np.linalg.slogdet(np.array(kernel, dtype=float))[1])


@pytest.mark.parametrize(("alpha", "convolution"), [(0, nn.Conv2d), (0.95, Masked)])
def test_the_scores_are_those_of_a_network_built_so(
    alpha: float, convolution: type[nn.Conv2d]
) -> None:
    built = network(convolution, by_sample)
    found = {n: score(n, network(), images(), ncd_alpha=alpha) for n in ("ncd_swap", "ncd_nwot")}
    assert found["ncd_nwot"].value == pytest.approx(nwot(built, images()))
    swap = swap_score(built, images(), seed=SEED)
    assert (found["ncd_swap"].value, found["ncd_swap"].saturation) == (swap.score, swap.saturation)


def test_repeats_are_drawn_anew() -> None:
    swap = swap_score(network(norm=by_sample), images(), repeats=3, seed=SEED)
    found = score("ncd_swap", network(), images(), ncd_alpha=0, repeats=3)
    assert found.value == swap.score
    assert len(set(swap.psi)) > 1


def test_a_twentieth_of_the_entries_is_kept_for_all_output_channels_alike() -> None:
    torch.manual_seed(0)
    with LessNonlinearity(0.95) as seen:
        output = F.conv2d(torch.ones(4, 1, 100, 100), torch.ones(2, 1, 1, 1))
    assert seen.convolutions == 1
    assert set(output.unique().tolist()) == {0, 1}
    assert float(output.mean()) == pytest.approx(0.05, abs=0.005)
    assert torch.equal(output[:, 0], output[:, 1])
    assert not torch.equal(output[0], output[1])


def test_batch_norm_is_by_sample_without_its_own_weights_by_hand() -> None:
    norm = nn.BatchNorm1d(2, eps=0)
    nn.init.constant_(norm.weight, 7)
    with LessNonlinearity(0):
        output = norm(torch.tensor([[1.0, 3.0], [10.0, 4.0]]))
    assert output.tolist() == [[-1, 1], [1, -1]]
    assert norm.running_mean.tolist() == [0, 0]
    assert int(norm.num_batches_tracked) == 1  # the caller's to restore, as swap_score does


@pytest.mark.parametrize("name", ["ncd_swap", "ncd_nwot"])
@pytest.mark.parametrize(
    ("net", "options", "reason"),
    [
        (network(), {"ncd_alpha": 1}, "got ncd_alpha=1.0, expected the share"),
        (nn.Sequential(nn.Flatten(), nn.Linear(128, 9), nn.ReLU()), {}, "no convolution ran; NCD"),
    ],
)
def test_what_cannot_be_says_so(name: str, net: nn.Module, options: Any, reason: str) -> None:
    found = score(name, net, images(), **options)
    assert found.value is None
    assert str(found.error).startswith(reason)


def test_no_relu_has_no_ncd_nwot() -> None:
    found = score("ncd_nwot", nn.Sequential(nn.Conv2d(2, 2, 1), nn.SiLU()), images())
    assert str(found.error).startswith("no ReLU or GELU ran")
