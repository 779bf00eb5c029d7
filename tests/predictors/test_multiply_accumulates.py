"""Multiply-accumulates: by hand, and against torch's own counter."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from naslib_swap import spaces
from naslib_swap.predictors.passes.multiply_accumulates import MultiplyAccumulates


def counted(net: nn.Module, *inputs: Tensor) -> int:
    with MultiplyAccumulates() as seen, torch.no_grad():
        net(*inputs)
    return seen.count


def test_every_output_of_a_convolution_meets_one_kernel() -> None:
    net = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)
    assert counted(net, torch.zeros(2, 4, 8, 8)) == 2 * 6 * 4 * 4 * (2 * 3 * 3)


def test_every_input_of_a_transposed_convolution_meets_one_kernel() -> None:
    net = nn.ConvTranspose2d(4, 6, 3, stride=2)
    assert counted(net, torch.zeros(1, 4, 5, 5)) == 4 * 5 * 5 * (6 * 3 * 3)


@pytest.mark.parametrize("bias", [True, False])
def test_linear_layers_are_products_over_all_rows(bias: bool) -> None:
    assert counted(nn.Linear(5, 7, bias=bias), torch.zeros(2, 3, 5)) == 2 * 3 * 5 * 7


def test_functions_count_as_modules_do() -> None:
    class Functions(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = F.conv2d(x, torch.ones(3, 2, 1, 1)).flatten(2)
            scores = torch.einsum("bci,bcj->bij", y, y)
            return torch.baddbmm(scores, scores, scores)

    assert counted(Functions(), torch.zeros(2, 2, 2, 2)) == 2 * (3 * 4 * 2 + 4 * 4 * 3 + 4**3)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_attention_counts_both_of_its_products(dropout: float) -> None:
    class Attention(nn.Module):
        def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)

    q, k, v = torch.ones(2, 3, 4, 8), torch.ones(2, 3, 5, 8), torch.ones(2, 3, 5, 8)
    assert counted(Attention(), q, k, v) == 2 * 2 * 3 * 4 * 5 * 8


GATES = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}


@pytest.mark.parametrize("gradients", [True, False])  # other kernels
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("layer", GATES)
def test_recurrent_layers_multiply_each_step_by_two_matrices_per_gate(
    layer: type[nn.RNNBase], device: str, gradients: bool
) -> None:
    def count(*sizes: int, **options: bool | int) -> int:
        net = layer(*sizes, **options, device=device)
        with MultiplyAccumulates() as seen, torch.set_grad_enabled(gradients):
            net(torch.zeros(10, 2, sizes[0], device=device))
        return seen.count

    steps, gates = 2 * 10, GATES[layer]
    assert count(4, 8) == steps * gates * 8 * (4 + 8)
    assert count(4, 8, bidirectional=True) == 2 * count(4, 8)
    assert count(4, 8, num_layers=2) == count(4, 8) + count(8, 8)


def test_an_lstm_with_a_head() -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(4, 8, batch_first=True), nn.Linear(8, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.lstm(x)[0][:, -1])

    assert counted(Tagger(), torch.zeros(2, 10, 4)) == 2 * 10 * 4 * 8 * (4 + 8) + 2 * 8 * 10 == 7840


def test_packed_sequences_count_the_steps_that_they_have() -> None:
    packed = nn.utils.rnn.pack_sequence([torch.zeros(5, 4), torch.zeros(3, 4)])
    assert counted(nn.LSTM(4, 8), packed) == (5 + 3) * 4 * 8 * (4 + 8)


def test_cells_count_as_one_step() -> None:
    assert counted(nn.LSTMCell(4, 8), torch.zeros(2, 4)) == 2 * 4 * 8 * (4 + 8)
    assert counted(nn.GRUCell(4, 8), torch.zeros(2, 4)) == 2 * 3 * 8 * (4 + 8)


def test_bilinear_layers_meet_every_pair() -> None:
    net = nn.Bilinear(4, 5, 6)
    assert counted(net, torch.zeros(2, 3, 4), torch.zeros(2, 3, 5)) == 2 * 3 * 4 * 5 * 6


def test_products_with_vectors() -> None:
    class Products(nn.Module):
        def forward(self, m: Tensor, v: Tensor) -> Tensor:
            return m @ v + torch.addmv(m[:, 0], m, v) + v.dot(v)

    assert counted(Products(), torch.zeros(3, 4), torch.zeros(4)) == 12 + 12 + 4


@pytest.mark.parametrize("training", [True, False])  # eval mode takes a fused kernel
def test_transformer_layers_count_alike_in_both_modes(training: bool) -> None:
    net = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).train(training)
    rows, attention = 2 * 3, 2 * (2 * 3 * 3 * 8)
    expected = rows * (3 * 8 * 8 + 8 * 8 + 2 * 8 * 16) + attention
    assert counted(net, torch.zeros(2, 3, 8)) == expected
    attends = nn.MultiheadAttention(8, 2, batch_first=True).train(training)
    x = torch.zeros(2, 3, 8)
    assert counted(attends, x, x, x) == rows * 4 * 8 * 8 + attention


def test_inference_mode_hides_nothing() -> None:
    net = nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.Linear(6, 5))
    with torch.inference_mode():
        assert counted(net, torch.zeros(1, 2, 4)) == 3 * 2 * (2 * 3) + 6 * 5


@pytest.mark.parametrize("space", sorted(spaces.names()))
def test_equals_half_of_what_torch_counts(space: str) -> None:
    found = spaces.get(space)
    with torch.device("meta"):
        net = found.build(found.parse(found.example))
    image = torch.zeros(2, 3, 32, 32, device="meta")
    with FlopCounterMode(display=False) as reference, torch.no_grad():
        net(image)
    assert 0 < counted(net, image) == reference.get_total_flops() / 2


def test_does_not_import_torchs_compiler() -> None:
    code = (
        "import sys, torch\n"
        "from naslib_swap.predictors.passes.multiply_accumulates import MultiplyAccumulates\n"
        "with MultiplyAccumulates() as seen: torch.ones(2, 3) @ torch.ones(3, 2)\n"
        "print(seen.count, 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["12", "False"]
