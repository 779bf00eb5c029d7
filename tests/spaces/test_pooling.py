"""Pooling of the native networks: torch's bits, and torch's layouts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from naslib_swap.spaces.pooling import AvgPool2d, MaxPool2d

PAIRS = [
    (AvgPool2d, nn.AvgPool2d, {"padding": 1, "count_include_pad": False}),
    (AvgPool2d, nn.AvgPool2d, {"stride": 2}),
    (MaxPool2d, nn.MaxPool2d, {"padding": 1, "stride": 2}),
    (MaxPool2d, nn.MaxPool2d, {"padding": 1, "stride": 1}),
]


def results(pool: nn.Module, images: Tensor) -> list[Tensor]:
    """The pooled images, without gradients and with, the gradient of their squares, and its own."""
    alone = pool(images)
    images = images.clone(memory_format=torch.preserve_format).requires_grad_()
    pooled = pool(images)
    (first,) = torch.autograd.grad(pooled.square().sum(), images, create_graph=True)
    (second,) = torch.autograd.grad(first.pow(3).sum(), images)
    return [alone, pooled.detach(), first.detach(), second]


@pytest.mark.parametrize(("ours", "torchs", "options"), PAIRS)
@pytest.mark.parametrize("shape", [(4, 3, 9, 8), (2, 1, 6, 6), (3, 5, 7, 7)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_bits_and_layout_are_those_of_torch(
    ours: type[nn.Module],
    torchs: type[nn.Module],
    options: dict[str, Any],
    shape: tuple[int, ...],
    layout: torch.memory_format,
) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(shape, generator=generator).contiguous(memory_format=layout)
    expected = results(torchs(3, **options), images)
    found = results(ours(3, **options), images)
    for ours_, torchs_ in zip(found, expected):
        assert torch.equal(ours_, torchs_)
        assert ours_.stride() == torchs_.stride()


def test_nan_and_infinities_pass_as_in_torch() -> None:
    images = torch.randn(1, 2, 6, 6)
    images[0, 0, 2, 2], images[0, 1, 4, 4] = float("nan"), float("inf")
    for ours, torchs, options in PAIRS:
        found, expected = ours(3, **options)(images), torchs(3, **options)(images)
        assert torch.equal(found.nan_to_num(7), expected.nan_to_num(7))


def test_a_single_image_without_a_batch_is_pooled_too() -> None:
    assert MaxPool2d(3)(torch.zeros(2, 6, 6)).shape == (2, 2, 2)


def test_torch_fx_can_trace_them() -> None:
    net, images = nn.Sequential(AvgPool2d(2), MaxPool2d(2)), torch.randn(1, 2, 8, 8)
    assert torch.equal(torch.fx.symbolic_trace(net)(images), net(images))


def test_gradients_by_function_transforms_are_those_of_torch() -> None:
    images = torch.randn(3, 2, 6, 6)

    def gradient(pool: nn.Module) -> Tensor:
        return torch.func.grad(lambda x: pool(x).square().sum())(images)

    def by_image(pool: nn.Module) -> Tensor:
        return torch.func.vmap(torch.func.grad(lambda x: pool(x[None]).square().sum()))(images)

    for each in (gradient, by_image):
        assert torch.equal(each(AvgPool2d(3, padding=1)), each(nn.AvgPool2d(3, padding=1)))
