"""What single parts save against torch's own, as ratios of the fastest of several runs.

    python benchmarks/parts.py

One thread. Pooling: 16 images of 16 x 32 x 32 values, without gradients. Multiply-accumulates: a
network of NAS-Bench-201. Batch statistics, and gradients of a pointwise convolution for each image:
the same images.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Callable

import torch
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight
from torch.utils.flop_counter import FlopCounterMode

from naslib_swap import spaces
from naslib_swap.predictors.passes.fixed_statistics import normalised
from naslib_swap.predictors.passes.image_gradients import weight_gradients
from naslib_swap.predictors.passes.multiply_accumulates import MultiplyAccumulates
from naslib_swap.spaces import pooling

ROUNDS = 7
SHAPE = (16, 16, 32, 32)


def seconds(run: Callable[[], Any]) -> float:
    """The fastest of several runs, after one to warm up."""
    run()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def torchs_statistics(x: Tensor) -> Tensor:
    """Normalise by what `torch.var_mean` finds."""
    variance, mean = torch.var_mean(x, (0, 2, 3), keepdim=True, correction=0)
    return (x - mean) * (variance + 1e-5).rsqrt()


def grouped(layer: nn.Conv2d, given: Tensor, gradient: Tensor) -> Tensor:
    """Images as groups of one convolution."""
    samples, channels = gradient.shape[:2]
    return conv2d_weight(
        given.reshape(1, -1, *given.shape[2:]),
        (samples * channels, given.shape[1], 1, 1),
        gradient.reshape(1, -1, *gradient.shape[2:]),
        groups=samples,
    ).reshape(samples, -1)


def count(counter: Any, net: nn.Module, images: Tensor) -> None:
    """A forward pass inside a counter."""
    with counter, torch.no_grad():
        net(images)


def main() -> None:
    """Print one row per part."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, gradient = torch.randn(SHAPE), torch.randn(SHAPE)
    space = spaces.get("nasbench201")
    net, pair = space.build(space.parse(space.example)), torch.randn(2, 3, 32, 32)
    layer = nn.Conv2d(16, 16, 1, bias=False)
    average = {"kernel_size": 3, "stride": 1, "padding": 1, "count_include_pad": False}
    highest = {"kernel_size": 3, "stride": 1, "padding": 1}
    rows: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
        (
            "average pooling",
            partial(nn.AvgPool2d(**average), x),
            partial(pooling.AvgPool2d(**average), x),
        ),
        (
            "maximum pooling",
            partial(nn.MaxPool2d(**highest), x),
            partial(pooling.MaxPool2d(**highest), x),
        ),
        (
            "multiply-accumulates",
            lambda: count(FlopCounterMode(display=False), net, pair),
            lambda: count(MultiplyAccumulates(), net, pair),
        ),
        ("batch statistics", lambda: torchs_statistics(x), lambda: normalised(x, 1e-5)),
        (
            "gradients by image",
            lambda: grouped(layer, x, gradient),
            lambda: weight_gradients(layer, x, gradient),
        ),
    ]
    for name, theirs, ours in rows:
        base, taken = seconds(theirs), seconds(ours)
        print(f"{name:22}{1e3 * base:8.2f} ms {1e3 * taken:8.2f} ms   {base / taken:5.1f} times")


if __name__ == "__main__":
    main()
