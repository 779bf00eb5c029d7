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
