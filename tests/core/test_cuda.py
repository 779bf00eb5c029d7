"""On a GPU: the same counts, and nothing left behind. And the benchmark, rehearsed on the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from naslib_swap import device_keys, patterns, spaces, swap_score
from naslib_swap.device_keys import DeviceKeys
from naslib_swap.scoring import Architecture, Images, conditions_for, score
from tests.core import zoo

ROOT = Path(__file__).parents[2]

cuda = pytest.mark.cuda
on_a_gpu = [cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]
GPU = pytest.param("cuda", marks=on_a_gpu)


def convolutions(activation: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        activation(),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(10),
    )


def transformer(activation: str) -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 2, 32, 0.1, activation=activation, batch_first=True)
    return nn.Sequential(
        nn.Flatten(2),
        nn.Linear(64, 16),
        nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(convolutions, nn.ReLU),
    "gelu": partial(transformer, "gelu"),
    "relu and gelu": partial(convolutions, nn.GELU),
    "leaky relu in place": partial(convolutions, partial(nn.LeakyReLU, 0.1, inplace=True)),
    "by its output": partial(convolutions, zoo.NewGELUActivation),
}


def images(samples: int) -> Tensor:
    return torch.randn(samples, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double()


def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    net = NETWORKS[name]().double()
    net(images(2))
    return net


def as_on_a_gpu(patch: pytest.MonkeyPatch) -> None:
    """Count on the CPU with what counts on GPUs."""
    patch.setenv("NASLIB_SWAP_KERNEL", "numpy")
    patch.setattr(patterns, "StagedKeys", partial(DeviceKeys, device=torch.device("cpu")))


@pytest.mark.parametrize("device", ["cpu", GPU])
@pytest.mark.parametrize("samples", [6, 17, 40])
@pytest.mark.parametrize("name", NETWORKS)
def test_counts_are_those_of_the_cpu(
    name: str, samples: int, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, x = built(name), images(samples)
    here = swap_score(net, x)
    as_on_a_gpu(monkeypatch)
    # Inputs and network on the CPU, the network alone on the device, and both there.
    assert swap_score(net, x, device=device) == here
    net.to(device)
    assert swap_score(net, x, device=device) == here
    assert swap_score(net, x.to(device)) == here


@pytest.mark.parametrize("device", ["cpu", GPU])
def test_repeats_are_those_of_the_cpu(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = built("relu and gelu"), images(16)
    here = swap_score(net, x, repeats=3)
    together = swap_score(net, x, repeats=3, batch_repeats=3)
    as_on_a_gpu(monkeypatch)
    assert swap_score(net, x, repeats=3, device=device) == here
    assert swap_score(net, x, repeats=3, batch_repeats=3, device=device) == together


@pytest.mark.parametrize("case", zoo.CASES, ids=lambda case: case.name)
def test_what_counts_on_gpus_sees_what_the_cpu_sees(
    case: zoo.Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(3)
    net = case.build(0.0)
    here = swap_score(net, case.inputs)
    as_on_a_gpu(monkeypatch)
    assert swap_score(net, case.inputs) == here


@pytest.mark.parametrize("device", ["cpu", GPU])
def test_nan_is_found_among_integers_and_numbers(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_on_a_gpu(monkeypatch)
    counter = patterns.PatternCounter(2, device)
    counter.add(torch.tensor([[1, 0], [0, 1]], device=device), signed=False, name="relu")
    assert counter.count() == 2
    counter.add(torch.tensor([[float("nan")], [1.0]], device=device), signed=True, name="gelu")
    with pytest.raises(ValueError, match="1 of 2 activations hold NaN, the first of them gelu"):
        counter.count()


class Waits(TorchDispatchMode):
    """Notes calls after which a GPU would be waited for: numbers and sizes that depend on it."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # torch's own answer imports its compiler

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masked = name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1])
        if masked or name in {"_local_scalar_dense", "nonzero", "_unique2"}:
            self.noted.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("samples", "at_the_end"),
    [
        (8, ["nonzero", "nonzero", "_local_scalar_dense"]),  # flags, and both kinds have some
        (16, ["nonzero", "_local_scalar_dense"]),
        (17, ["_local_scalar_dense"]),
        (40, ["_local_scalar_dense"]),
    ],
)
def test_nothing_waits_for_the_device_before_the_count(
    samples: int, at_the_end: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_on_a_gpu(monkeypatch)
    monkeypatch.setattr(device_keys, "_WAITING_SIGNS", 3000 * samples)
    counter = patterns.PatternCounter(samples)
    layers = [torch.rand(samples, 1000) - 0.5 for _ in range(3)]
    with Waits() as waits:
        for layer in layers * 3:
            counter.add(layer, signed=layer is layers[0])
    assert not waits.noted
    with Waits() as waits:
        counter.count()
    assert waits.noted == at_the_end


@pytest.mark.slow  # torch imports sympy for it
@pytest.mark.parametrize("samples", [8, 40])
def test_the_cpu_has_no_part_in_it(samples: int) -> None:
    """On a device that is none: what mixes it with the CPU fails, and what asks for a number."""
    with FakeTensorMode():
        counter = patterns.PatternCounter(samples, "lazy")
        for signed in (True, False, True):
            counter.add(torch.empty(samples, 1000, device="lazy"), signed=signed)
        assert counter.values == 3000
        for keys in counter._keys.values():
            with pytest.raises(DataDependentOutputException, match="_local_scalar_dense"):
                keys.count()


@pytest.mark.parametrize("device", [GPU])
def test_waits_do_not_grow_with_the_number_of_activations(device: str) -> None:
    def waits(layers: int) -> int:
        parts = [part for _ in range(layers) for part in (nn.Linear(64, 64), nn.GELU(), nn.ReLU())]
        net, x = nn.Sequential(*parts).to(device), torch.randn(16, 64, device=device)
        swap_score(net, x)  # the closer look, once
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                swap_score(net, x)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        return sum("synchroniz" in str(each.message) for each in said)

    assert waits(20) == waits(2) > 0


def snapshot(net: nn.Module) -> list[Any]:
    tensors = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    return [(name, t.device, t.data_ptr(), t.tolist()) for name, t in tensors.items()] + [
        module.training for module in net.modules()
    ]


@pytest.mark.parametrize("device", [GPU])
@pytest.mark.parametrize("there", [False, True])
def test_network_and_generators_come_back(device: str, there: bool) -> None:
    net = built("relu and gelu")
    if there:
        net.to(device)
    torch.rand(3, device=device)
    before, generators = snapshot(net), torch.cuda.get_rng_state_all()
    own = torch.get_rng_state()
    swap_score(net, images(8), repeats=2, dropout=True, device=device)
    assert snapshot(net) == before
    assert all(map(torch.equal, torch.cuda.get_rng_state_all(), generators))
    assert torch.equal(torch.get_rng_state(), own)


@pytest.mark.parametrize("device", [GPU])
def test_an_architecture_is_scored_there(device: str) -> None:
    names = ["swap", "params", "grad_norm"]
    subject = Architecture("darts", "cifar10", _example(), "tiny")
    conditions = conditions_for("darts", "cifar10", variant="tiny", names=names, device=device)
    there = score(subject, names, conditions)
    here = score(subject, names)
    assert [there[name].error for name in names] == [None] * 3
    # float32: a sign may hang by a rounding error.
    for name in names:
        assert there[name].value == pytest.approx(here[name].value, rel=0.01)


@pytest.mark.parametrize("device", [GPU])
def test_no_memory_left_is_an_error_of_the_score(device: str) -> None:
    subject = Architecture("darts", "cifar10", _example(), "tiny")
    many = conditions_for(
        "darts", "cifar10", images=Images(samples=4096), names=["swap"], device=device
    )
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    few = torch.cuda.memory_reserved(device) + (64 << 20)
    torch.cuda.set_per_process_memory_fraction(few / total)
    try:
        failed = score(subject, ["swap", "params"], many)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
    assert failed["swap"].value is None
    assert "out of memory" in str(failed["swap"].error)
    assert failed["params"].error is None
    one = conditions_for("darts", "cifar10", names=["swap"], device=device)
    assert score(subject, ["swap"], one)["swap"].error is None


def _example() -> str:
    return spaces.get("darts").example


@pytest.mark.slow
def test_the_benchmark_is_rehearsed_on_the_cpu() -> None:
    command = [sys.executable, "benchmarks/gpu.py", "--device", "cpu", "--quick"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    titles = [line[3:] for line in done.stdout.splitlines() if line.startswith("## ")]
    assert len(titles) == 7
    assert "In float64, 3 of 3 counts are equal." in done.stdout
    assert "3 of 3 scores are equal" in done.stdout
    assert "0 part(s) failed" in done.stdout


def test_parts_without_time_are_left_out() -> None:
    command = [sys.executable, "benchmarks/gpu.py", "--device", "cpu", "--quick", "--budget", "8"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Left out: ") == 6
