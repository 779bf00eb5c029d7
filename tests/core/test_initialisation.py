"""Which parameters are drawn anew, from what, and which are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from naslib_swap import SwapError, swap_score
from naslib_swap.initialisation import StandardNormal


def drawn(net: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    StandardNormal(net, seed).draw()
    return {name: parameter.detach().clone() for name, parameter in net.named_parameters()}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_draws_come_in_the_order_of_the_layers() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), nn.Linear(4, 5), nn.LayerNorm(5))
    for parameter in net.parameters():
        nn.init.constant_(parameter, 7)
    found = drawn(net, seed=3)
    generator = torch.Generator().manual_seed(3)
    assert torch.equal(found["0.weight"], torch.empty(4, 3, 2, 2).normal_(generator=generator))
    assert torch.equal(found["2.weight"], torch.empty(5, 4).normal_(generator=generator))
    assert all(bool((found[name] == 1).all()) for name in ("1.weight", "3.weight"))
    assert all(bool((found[f"{i}.bias"] == 0).all()) for i in range(4))


class Conv1D(nn.Module):
    """As HuggingFace's GPT-2 has it, whose class is told by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(4))


Conv1D.__module__ = "transformers.pytorch_utils"


class LlamaRMSNorm(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x / x.pow(2).mean(-1, keepdim=True).sqrt()


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "attention": lambda: nn.MultiheadAttention(4, 2),
    "attention of several widths": lambda: nn.MultiheadAttention(
        4, 2, kdim=3, vdim=5, add_bias_kv=True
    ),
    "lstm": lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "lstm with projections": lambda: nn.LSTM(3, 4, proj_size=2),
    "gru": lambda: nn.GRU(3, 4),
    "rnn": lambda: nn.RNN(3, 4),
    "lstm cell": lambda: nn.LSTMCell(3, 4),
    "gru cell": lambda: nn.GRUCell(3, 4),
    "bilinear": lambda: nn.Bilinear(3, 4, 5),
    "conv1d of transformers": Conv1D,
    "encoder": lambda: nn.TransformerEncoderLayer(4, 2, 8),
}


@pytest.mark.parametrize("name", LAYERS)
def test_matrices_are_drawn_and_vectors_set_whatever_they_were(name: str) -> None:
    torch.manual_seed(0)
    first, second = LAYERS[name](), LAYERS[name]()
    for parameter in second.parameters():
        nn.init.constant_(parameter, 7)
    found, again = drawn(first), drawn(second)
    assert all(torch.equal(value, again[key]) for key, value in found.items())
    for key, value in found.items():
        if "bias" in key:
            assert bool((value == 0).all())
        elif "norm" in key:
            assert bool((value == 1).all())
        else:  # N(0, 1): all distinct, of the right size
            assert len(value.unique()) == value.numel()
            assert 0.3 < value.std() < 2


@pytest.mark.parametrize("kind", [*([nn.RMSNorm] if hasattr(nn, "RMSNorm") else []), LlamaRMSNorm])
def test_rms_norms_are_set_to_one(kind: Callable[[int], nn.Module]) -> None:
    net, new = (nn.Sequential(nn.Linear(4, 4), kind(4), nn.ReLU()) for _ in range(2))
    nn.init.constant_(net[1].weight, -5)
    psi = swap_score(new, normal(6, 4), repeats=3).psi
    assert swap_score(net, normal(6, 4), repeats=3).psi == psi
    assert swap_score(net, normal(6, 4), repeats=3, batch_repeats=3).psi == psi
    assert drawn(net)["1.weight"].tolist() == [1.0] * 4


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU])
def test_recurrent_networks_score_the_same_however_they_were_built(layer: type) -> None:
    class Tagger(nn.Module):
        def __init__(self, seed: int) -> None:
            super().__init__()
            torch.manual_seed(seed)
            self.recurrent, self.head = layer(4, 8), nn.Linear(8, 16)

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.head(self.recurrent(x.transpose(0, 1))[0].transpose(0, 1)))

    x = normal(6, 3, 4)
    scores = [swap_score(Tagger(seed), x, repeats=4).psi for seed in (0, 1)]
    assert scores[0] == scores[1]
    assert len(set(scores[0])) > 1
    with pytest.raises(SwapError, match=r"recurrent layers .*pass batch_repeats=1"):
        swap_score(Tagger(0), x, repeats=4, batch_repeats=2)


def test_attention_is_drawn_alike_alone_and_together() -> None:
    net, x = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), normal(6, 3, 8)
    alone = swap_score(net, x, repeats=4)
    assert swap_score(net, x, repeats=4, batch_repeats=4).psi == alone.psi


def test_embeddings_and_vectors_stay() -> None:
    class Vision(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.linear, self.slope = nn.Embedding(5, 4), nn.Linear(4, 4), nn.PReLU(4)
            self.pos_embed = nn.Parameter(torch.rand(1, 3, 4))
            self.relative_position_bias_table = nn.Parameter(torch.rand(9, 2))
            self.class_token = nn.Parameter(torch.rand(2, 4))
            self.layer_scale = nn.Parameter(torch.rand(4, 1, 1))

    net = Vision()
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    after = drawn(net)
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {"linear.weight", "linear.bias"}


class Kernel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.kernel = nn.Linear(4, 4), nn.Parameter(torch.rand(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.linear(x) @ self.kernel)


def test_what_would_stay_as_built_is_refused_by_name() -> None:
    net = nn.Sequential(Kernel(), Kernel())
    assert swap_score(net, normal(6, 4)).score > 0
    expected = r"unknown kinds \(0\.kernel, 1\.kernel\), .*leave as built; .*repeats=0"
    with pytest.raises(SwapError, match=expected):
        swap_score(net, normal(6, 4), repeats=2)


def test_a_parameter_that_a_known_layer_shares_is_drawn() -> None:
    net = Kernel()
    net.kernel = net.linear.weight
    assert torch.equal(drawn(net)["kernel"], normal(4, 4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.detach()[:1].expand(4, 4), "weight of a Linear is expanded from fewer"),
        (lambda w: w.detach().to(torch.int8), r"weight of a Linear is of type torch\.int8"),
    ],
)
def test_weights_that_cannot_hold_the_numbers_are_refused(
    change: Callable[[Tensor], Tensor], message: str
) -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    net[0].weight = nn.Parameter(change(net[0].weight), requires_grad=False)
    with pytest.raises(SwapError, match=message):
        StandardNormal(net, 0)


@contextmanager
def default_device(device: str) -> Iterator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)
        # Torch 2.8 would keep a context of None, at which get_default_device() fails.
        vars(torch._GLOBAL_DEVICE_CONTEXT).pop("device_context", None)


def test_numbers_come_from_the_cpu_whatever_the_default_device() -> None:
    net, double = nn.Linear(4, 5), nn.Linear(4, 5).double()
    with default_device("meta"):
        found, doubled = drawn(net)["weight"], drawn(double)["weight"]
    assert torch.equal(found, normal(5, 4))
    assert torch.equal(doubled, normal(5, 4).double())


def test_seeds_may_be_of_numpy_and_weights_of_inference_mode() -> None:
    with torch.inference_mode():
        net = nn.Linear(4, 5)
    assert torch.equal(drawn(net, seed=np.int64(3))["weight"], normal(5, 4, seed=3))
