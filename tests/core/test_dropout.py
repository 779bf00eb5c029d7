"""Train mode means batch statistics; dropout is off unless asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naslib_swap import swap_score
from tests.core.zoo import Net, noise

X = noise(9, 8)


class StochasticDepth(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rand(len(x), 1).gt(0.5) if self.training else x


class LayerDrop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layerdrop = 0.5

    def forward(self, x: Tensor) -> Tensor:
        return -x if self.training and torch.rand([]) < self.layerdrop else x


def attention(m: Any, x: Tensor) -> Tensor:
    y = x.unsqueeze(2)
    return F.scaled_dot_product_attention(y, y, y, None, 0.5).squeeze(2)


RANDOM: dict[str, Callable[[], nn.Module]] = {
    "Dropout": lambda: nn.Dropout(0.5),
    "Dropout1d": lambda: nn.Sequential(nn.Unflatten(1, (8, 1)), nn.Dropout1d(), nn.Flatten()),
    "AlphaDropout": lambda: nn.AlphaDropout(0.5),
    "FeatureAlphaDropout": lambda: nn.FeatureAlphaDropout(0.5),
    "RReLU": lambda: nn.RReLU(-1, 1),  # whose slope can change a sign
    "functional": lambda: Net(lambda m, x: F.dropout(x, 0.5, m.training)),
    "functional by name": lambda: Net(lambda m, x: F.dropout(x, training=m.training)),
    "functional always": lambda: Net(lambda m, x: F.dropout(x)),
    "torch.dropout": lambda: Net(lambda m, x: torch.dropout(x, 0.5, m.training)),
    "attention": lambda: Net(attention),
    "stochastic depth": StochasticDepth,
    "layer drop": LayerDrop,
    "MultiheadAttention": lambda: Net(
        lambda m, x: m.a(x.unsqueeze(2), x.unsqueeze(2), x.unsqueeze(2))[0].squeeze(2),
        a=nn.MultiheadAttention(1, 1, dropout=0.5, batch_first=True),
    ),
    "LSTM": lambda: Net(
        lambda m, x: m.a(x.unsqueeze(1))[0].squeeze(1),
        a=nn.LSTM(8, 8, 2, dropout=0.5, batch_first=True),
    ),
    "RNN": lambda: Net(
        lambda m, x: m.a(x.unsqueeze(1))[0].squeeze(1),
        a=nn.RNN(8, 8, 2, dropout=0.5, batch_first=True, nonlinearity="relu"),
    ),
}


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), RANDOM[name](), nn.Linear(8, 300), nn.ReLU())


@pytest.mark.parametrize("name", RANDOM)
def test_dropout_is_off_unless_asked_for(name: str) -> None:
    net = network(name)
    off = [swap_score(net, X, seed=seed) for seed in range(4)]
    on = [swap_score(net, X, seed=seed, dropout=True) for seed in range(4)]
    assert len({result.psi for result in off}) == 1
    if name != "functional always":
        assert off[0].psi == swap_score(net, X, mode="eval").psi
    assert len({result.psi for result in on}) > 1
    assert swap_score(net, X, seed=3, dropout=True).psi == on[3].psi
    assert all(module.training for module in net.modules())
    assert getattr(net[1], "layerdrop", 0.5) == 0.5


def test_equal_samples_have_two_patterns() -> None:
    net = nn.Sequential(nn.Linear(8, 50), nn.Dropout(0.5), nn.Linear(50, 200), nn.ReLU())
    same = X[:1].expand(9, 8)
    assert swap_score(net, same).score == 2
    assert swap_score(net, same, dropout=True).score > 2


def test_batch_statistics_stay() -> None:
    net = nn.Sequential(nn.Linear(8, 60), nn.BatchNorm1d(60), nn.Dropout(0.5), nn.ReLU())
    x = X + 5
    assert swap_score(net, x).psi != swap_score(net, x, mode="eval").psi
    with torch.no_grad():
        patterns = (net[1](net[0](x)) > 0).T
    assert swap_score(net, x).score == len({tuple(row) for row in patterns.tolist()})
