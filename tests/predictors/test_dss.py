"""DSS by hand, and against the definition written out on transformers of several kinds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring.network import score_network
from naslib_swap.scoring.record import Score


def score(net: nn.Module, images: Tensor) -> Score:
    batch = SimpleNamespace(images=images, labels=torch.zeros(len(images), dtype=torch.int64))
    return score_network(Probe(net, batch), ["dss"])["dss"]


class Attention(nn.Module):
    """As timm has it, with heads of a width of their own: the projection back is not square."""

    def __init__(self, width: int, head: int = 3, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * heads * head)
        self.proj = nn.Linear(heads * head, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = (q @ k.transpose(-1, -2)).softmax(-1) @ v
        return self.proj(mixed.transpose(1, 2).flatten(2))


class MultiHead(nn.Module):
    """PyTorch's own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(width, 2, dropout=0.5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x, x, x)[0]


class Vit(nn.Module):
    """A patch embedding, positions, one block, a head."""

    def __init__(self, attention: type[nn.Module], width: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(2, width, 4, stride=4)
        self.positions = nn.Parameter(torch.randn(1, 4, width))
        self.norm = nn.LayerNorm(width)
        self.attention = attention(width)
        self.mlp = nn.Sequential(nn.Linear(width, 8), nn.GELU(), nn.Linear(8, width))
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        x = x + self.attention(self.norm(x))
        return self.head((x + self.mlp(x)).mean(1))


def textbook(net: Vit, attention: list[Tensor]) -> float:
    """Sign by sign, in a copy of its own."""
    net.double().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_()
    net(torch.ones(1, 2, 8, 8, dtype=torch.float64)).sum().backward()
    total = 0.0
    for weight in attention:
        nuclear = [torch.linalg.matrix_norm(m, "nuc") for m in (weight.detach(), weight.grad)]
        total += float(nuclear[0] * nuclear[1])
    for layer in (net.patches, net.mlp[0], net.mlp[2], net.head):
        total += float((layer.weight * layer.weight.grad).abs().sum().detach())
    return total


@pytest.mark.parametrize(
    ("kind", "matrices"),
    [
        (Attention, lambda a: [a.qkv.weight, a.proj.weight]),
        (MultiHead, lambda a: [a.inner.in_proj_weight, a.inner.out_proj.weight]),
    ],
)
def test_dss_is_diversity_of_attention_plus_saliency_of_all_else(kind: Any, matrices: Any) -> None:
    net = Vit(kind)
    expected = textbook(net, matrices(net.attention))
    assert score(Vit(kind), torch.randn(3, 2, 8, 8)).value == pytest.approx(expected)


def test_without_softmax_by_hand() -> None:
    class SelfAttention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.value = nn.Linear(2, 2, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.value(x)

    net = nn.Sequential(SelfAttention(), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        net[0].value.weight.copy_(torch.tensor([[3.0, 0.0], [0.0, -4.0]]))
        net[1].weight.copy_(torch.tensor([[-1.0, 2.0]]))
    # |V| = diag(3, 4) gives (3, 4), the head 3 + 8. dR/dV = [[1, 1], [2, 2]] of rank one: nuclear
    # norm sqrt(10), times 7. The head's saliency is 3 * 1 + 4 * 2.
    assert score(net, torch.zeros(1, 2)).value == pytest.approx(7 * 10**0.5 + 11)


def test_separate_projections_of_huggingface_are_attention() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=8, patch_size=4, num_channels=2, num_labels=3,
    )  # fmt: skip
    torch.manual_seed(0)
    net = transformers.ViTForImageClassification(config)
    found = score(net, torch.randn(3, 2, 8, 8))
    net.double().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_()
    net(torch.ones(1, 2, 8, 8, dtype=torch.float64)).logits.sum().backward()
    expected = 0.0
    for name, module in net.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            weight, gradient = module.weight.detach(), module.weight.grad
            if "attention" in name:
                expected += float(
                    torch.linalg.svdvals(weight).sum() * torch.linalg.svdvals(gradient).sum()
                )
            else:
                expected += float((weight * gradient).abs().sum())
    assert found.value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("net", "images", "reason"),
    [
        (
            nn.Sequential(nn.Flatten(), nn.Linear(4, 3)),
            torch.randn(2, 1, 2, 2),
            "Sequential has no attention; DSS is defined for transformers",
        ),
        (
            nn.Sequential(nn.Embedding(9, 4), nn.TransformerEncoderLayer(4, 2)),
            torch.zeros(2, 3, dtype=torch.int64),
            "an image of ones needs floating-point inputs, not torch.int64",
        ),
    ],
)
def test_what_cannot_be_says_so(net: nn.Module, images: Tensor, reason: str) -> None:
    found = score(net, images)
    assert found.value is None
    assert str(found.error).startswith(reason)


def test_no_path_says_so() -> None:
    net = Vit(Attention)
    nn.init.zeros_(net.head.weight)
    assert str(score(net, torch.randn(2, 2, 8, 8)).error).startswith("all gradients are 0")
