"""W-PCA and V-PCA by hand, and against numpy's covariance."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from naslib_swap.predictors.passes.feed_forward import components
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring.network import score_network
from naslib_swap.scoring.record import Score


def scores(net: nn.Module, given: Tensor, **options: Any) -> dict[str, Score]:
    batch = SimpleNamespace(images=given, labels=torch.zeros(len(given), dtype=torch.int64))
    return score_network(Probe(net, batch, settings=options), ["v_pca", "w_pca"])


def textbook(rows: np.ndarray, share: float = 0.99) -> int:
    spectrum = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    return int(np.argmax(np.cumsum(spectrum) / spectrum.sum() > share)) + 1


def test_components_by_hand() -> None:
    # Centred columns (±2, 0, 0), (0, ±1, 0): variances 8 and 2 of 10.
    rows = torch.tensor([[2.0, 0, 0], [-2.0, 0, 0], [0, 1.0, 0], [0, -1.0, 0]]) + 5
    assert [components(rows, share) for share in (0.5, 0.79, 0.81, 0.99)] == [1, 1, 2, 2]
    assert components(torch.ones(4, 3), 0.99) == 0


@pytest.mark.parametrize("shape", [(200, 30), (20, 30)])
def test_components_are_those_of_the_covariance(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(0).normal(size=shape) * np.geomspace(1, 1e-2, 30)
    for share in (0.5, 0.9, 0.99):
        assert components(torch.tensor(rows), share) == textbook(rows, share)


class Tokens(nn.Module):
    """Words, two encoder layers, a head."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(30, 8)
        self.layers = nn.ModuleList([layer(8, 16), layer(8, 32)])
        self.head = nn.Linear(8, 16)  # to a larger width, and not back

    def forward(self, x: Tensor) -> Tensor:
        x = self.words(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(1))


class Bottle(nn.Module):
    """A feed-forward network in two modules, as HuggingFace's."""

    def __init__(self, width: int, middle: int) -> None:
        super().__init__()
        self.intermediate = nn.Sequential(nn.Linear(width, middle), nn.GELU(), nn.Dropout(0.5))
        self.output = nn.Sequential(nn.Linear(middle, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.output(self.intermediate(x))


def pytorchs(width: int, middle: int) -> nn.Module:
    return nn.TransformerEncoderLayer(width, 2, middle, batch_first=True)


@pytest.mark.parametrize(
    ("layer", "first"),
    [(Bottle, lambda m: m.intermediate[0]), (pytorchs, lambda m: m.linear1)],
)
def test_v_pca_sums_the_layers_and_w_pca_weighs_them(layer: Any, first: Any) -> None:
    words = torch.randint(30, (5, 7), generator=torch.Generator().manual_seed(1))
    net = Tokens(layer)
    seen: list[np.ndarray] = []
    for module in net.layers:
        first(module).register_forward_hook(
            lambda m, given, out: seen.append(out.detach().reshape(-1, out.shape[-1]).numpy())
        )
    net.eval()(words)
    found = scores(Tokens(layer), words)
    total = sum(textbook(rows) for rows in seen)
    assert found["v_pca"].value == total
    size = sum(p.numel() for p in net.parameters()) / 1e6
    assert found["w_pca"].value == pytest.approx(total * size)
    fewer = scores(Tokens(layer), words, pca_share=0.5)["v_pca"].value
    assert fewer == sum(textbook(rows, 0.5) for rows in seen) < total


def test_a_layer_that_is_called_twice_counts_twice() -> None:
    class Shared(Tokens):
        def forward(self, x: Tensor) -> Tensor:
            x = self.words(x)
            return self.head(self.layers[0](self.layers[0](x)).mean(1))

    words = torch.randint(30, (5, 7), generator=torch.Generator().manual_seed(1))
    net, once = Shared(Bottle), Tokens(Bottle)
    once.layers = once.layers[:1]
    single = scores(once, words)["v_pca"].value
    assert single is not None
    assert float(scores(net, words)["v_pca"].value or 0) > single


@pytest.mark.parametrize(
    ("net", "options", "reason"),
    [
        (nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4)), {}, "no feed-forward network"),
        (nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3)), {}, "no feed-forward network of a"),
        (nn.Linear(4, 8), {"pca_share": 1}, "got pca_share=1.0, expected the share"),
    ],
)
def test_what_cannot_be_says_so(net: nn.Module, options: Any, reason: str) -> None:
    for score in scores(net, torch.randn(6, 4), **options).values():
        assert score.value is None
        assert str(score.error).startswith(reason)
