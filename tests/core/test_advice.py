"""Forward passes that fail for a known reason say what to do."""

from __future__ import annotations

import copy
from typing import Any, Callable

import pytest
import torch
from torch import Tensor, nn

from naslib_swap import SwapError, swap_score

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))


class Calls(nn.Module):
    """Passes what it gets to `function`, with a layer of its own."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.linear, self.function = nn.Linear(4, 8), function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def layers(dtype: torch.dtype = torch.float32) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU()).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_inputs_of_another_type_than_the_weights(dtype: torch.dtype) -> None:
    assert swap_score(layers(dtype), X.to(dtype), repeats=2).score > 1
    expected = rf"weights are {dtype}, the inputs torch\.float32: pass inputs\.to\({dtype}\)"
    with pytest.raises(SwapError, match=expected):
        swap_score(layers(dtype), X)


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images: list[Tensor], targets: Any = None) -> Tensor:
        assert targets is not None or not self.training, "targets should not be none"
        return torch.relu(self.conv(torch.stack(images)))


IMAGES = [torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(i)) for i in range(6)]


def test_detectors_want_targets_in_train_mode() -> None:
    with pytest.raises(SwapError, match=r"pass them, as \(images, targets\), or mode='eval'"):
        swap_score(Detector(), (IMAGES,))
    assert swap_score(Detector(), (IMAGES,), mode="eval").samples == 6
    assert swap_score(Detector(), (IMAGES, [{"boxes": torch.ones(1, 4)}] * 6)).samples == 6


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            [X, torch.arange(6)],
            r"look like \[images, labels\], .*pass the images alone, inputs\[0\]",
        ),
        ([X, X, X], r"takes \(input.*\)\. A list or tuple holds positional .* as \(list,\)"),
        ({"image": X}, r"takes \(input.*\)\. A mapping holds keyword arguments; .*\(mapping,\)"),
    ],
)
def test_inputs_that_the_forward_pass_does_not_take(inputs: Any, message: str) -> None:
    with pytest.raises(SwapError, match=message):
        swap_score(layers(), inputs)


def branches(net: Calls, x: Tensor) -> Tensor:
    y = net.linear(x)
    return torch.relu(y if y.sum() > 0 else -y)


def test_branches_run_for_one_initialisation_at_a_time() -> None:
    assert len(swap_score(Calls(branches), X, repeats=2).psi) == 2
    with pytest.raises(SwapError, match=r"Branches on values, .*: pass batch_repeats=1"):
        swap_score(Calls(branches), X, repeats=2, batch_repeats=2)


def by_row(net: Calls, x: Tensor) -> Tensor:
    return torch.func.vmap(lambda row: torch.relu(net.linear(row)))(x)


@pytest.mark.parametrize("batch_repeats", [1, 2])
def test_vmap_in_the_forward_pass_is_refused(batch_repeats: int) -> None:
    with pytest.raises(SwapError, match=r"calls torch\.func\.vmap, .*works on the whole batch"):
        swap_score(Calls(by_row), X, repeats=2, batch_repeats=batch_repeats)


class CountsCalls(nn.Sequential):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x)


def test_buffers_of_inference_mode_cannot_be_updated() -> None:
    with torch.inference_mode():
        net = CountsCalls(nn.Linear(4, 8), nn.ReLU())
    with pytest.raises(SwapError, match=r"made in inference mode .*: score copy\.deepcopy\(net\)"):
        swap_score(net, X)


def test_statistics_of_inference_mode_need_no_update() -> None:
    with torch.inference_mode():
        net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
    trained = swap_score(net, X)
    assert trained.score == swap_score(copy.deepcopy(net), X).score > 1


@pytest.mark.filterwarnings("ignore")
def test_quantised_layers() -> None:
    quantisation = torch.ao.quantization
    net = nn.Sequential(quantisation.QuantStub(), *layers(), quantisation.DeQuantStub()).eval()
    net.qconfig = quantisation.get_default_qconfig(torch.backends.quantized.engine)
    prepared = quantisation.prepare(net)
    prepared(X)
    with pytest.raises(SwapError, match=r"score the network of floating numbers"):
        swap_score(quantisation.convert(prepared), X)


@pytest.mark.parametrize(
    "device", ["meta", "gpu", *([] if torch.cuda.is_available() else ["cuda"])]
)
def test_devices_that_cannot_be_used(device: str) -> None:
    with pytest.raises(
        SwapError, match=rf"cannot use the device '{device}': .*\. Expected cpu, or cuda"
    ):
        swap_score(layers(), X, device=device)


def test_other_errors_pass_as_they_are() -> None:
    def fails(net: Calls, x: Tensor) -> Tensor:
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        swap_score(Calls(fails), X)
