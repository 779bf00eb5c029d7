"""Networks that do what they should not come back bit for bit."""

from __future__ import annotations

import contextlib
import copy
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from naslib_swap import SwapError, swap_score
from naslib_swap.restoration import restored

WIDTH = 4


class Plain(nn.Module):
    """A layer with batch normalisation; `nasty` does something to it in the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH)
        self.register_buffer("seen", torch.zeros(2))

    def nasty(self, x: Tensor) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        self.nasty(x)
        return torch.relu(self.norm(self.linear(x))) + 0.1 * x


class EditsWeights(Plain):
    def nasty(self, x: Tensor) -> None:
        self.linear.weight.data.mul_(1.5)  # not seen by version counters
        with torch.no_grad():
            self.linear.bias.add_(1)


class ReplacesData(Plain):
    def nasty(self, x: Tensor) -> None:
        self.linear.weight.data = self.linear.weight.data.t().contiguous() + 1


class FlipsZeros(Plain):
    def nasty(self, x: Tensor) -> None:
        with torch.no_grad():
            self.seen.neg_()


class HoldsNaN(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.seen.fill_(float("nan"))


class ResizesBuffer(Plain):
    def nasty(self, x: Tensor) -> None:
        self.seen.resize_(5).fill_(3)


class ShrinksBuffer(Plain):
    def nasty(self, x: Tensor) -> None:
        self.seen.untyped_storage().resize_(4)
        self.seen = torch.ones(1)


class RegistersBuffer(Plain):
    def nasty(self, x: Tensor) -> None:
        if not hasattr(self, "late"):
            self.register_buffer("late", torch.zeros(3))
            self.ready = True
        self.late += 1


class BuildsLate(Plain):
    """Of the kind that sizes its layers by the first minibatch."""

    def __init__(self) -> None:
        super().__init__()
        self.late: nn.Module | None = None

    def nasty(self, x: Tensor) -> None:
        if self.late is None:
            self.late = nn.Linear(x.shape[1], 3)
        self.late(x)


class RemovesLayers(Plain):
    """Of the kind that fuses its branches for good when it is evaluated."""

    def __init__(self) -> None:
        super().__init__()
        self.branch, self.fused = nn.Linear(WIDTH, WIDTH), False

    def train(self, mode: bool = True) -> RemovesLayers:
        super().train(mode)
        if not mode and not self.fused:
            self.linear.weight.data += self.branch.weight.data
            self.fused = True
            del self.branch
        return self


class Merges(Plain):
    """Of the kind of low-rank adapters: merged into the weight to evaluate, apart to train."""

    def __init__(self) -> None:
        super().__init__()
        self.adapter, self.merged = nn.Parameter(torch.randn(WIDTH, WIDTH) / 3), False

    def train(self, mode: bool = True) -> Merges:
        super().train(mode)
        if mode == self.merged:
            self.linear.weight.data += -self.adapter.data if mode else self.adapter.data
            self.merged = not mode
        return self


class CachesWeights(Plain):
    """Keeps what it computed of its weights to evaluate."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: Tensor | None = None

    def train(self, mode: bool = True) -> CachesWeights:
        super().train(mode)
        self.cache = None if mode else 2 * self.linear.weight.detach()
        return self

    def nasty(self, x: Tensor) -> None:
        assert (self.cache is None) == self.training


class FreezesPart(Plain):
    def train(self, mode: bool = True) -> FreezesPart:
        super().train(mode)
        self.norm.eval()
        return self


class SwitchesModes(Plain):
    def nasty(self, x: Tensor) -> None:
        self.norm.training = not self.norm.training


class Freezes(Plain):
    def nasty(self, x: Tensor) -> None:
        self.linear.requires_grad_(False)
        self.linear.weight.grad = None


class Expanded(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("wide", torch.eye(3).expand(2, 3, 3))

    def nasty(self, x: Tensor) -> None:
        self.wide[0, 0] += 1  # three numbers that both rows share


class Tied(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("again", self.seen)
        self.register_buffer("view", self.linear.weight.detach()[1:, ::2])
        self.other = nn.Linear(WIDTH, WIDTH)
        self.other.weight = self.linear.weight

    def nasty(self, x: Tensor) -> None:
        self.again += 1
        self.view *= 2


class InferenceBuffer(Plain):
    def __init__(self) -> None:
        super().__init__()
        with torch.inference_mode():
            self.register_buffer("inferred", torch.zeros(3))

    def nasty(self, x: Tensor) -> None:
        with torch.inference_mode():
            self.inferred += 1


class Sparse(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("graph", torch.eye(3).to_sparse())

    def nasty(self, x: Tensor) -> None:
        self.graph.mul_(2)


class Draws(Plain):
    """Draws from every generator that it finds, its own too."""

    def __init__(self) -> None:
        super().__init__()
        self.torchs = torch.Generator().manual_seed(1)
        self.numpys, self.old = np.random.default_rng(1), np.random.RandomState(1)
        self.pythons = random.Random(1)

    def nasty(self, x: Tensor) -> None:
        torch.rand(1), np.random.rand(), random.random()  # noqa: NPY002
        torch.rand(1, generator=self.torchs), self.pythons.random()
        self.numpys.random(), self.old.rand()


class Raises(EditsWeights):
    def forward(self, x: Tensor) -> Tensor:
        super().forward(x)
        raise ArithmeticError("half-way")


ZOO: list[type[Plain]] = [Plain, *Plain.__subclasses__(), Raises]


def bits(tensor: Tensor) -> Any:
    if tensor.layout is not torch.strided:
        return tensor.to_dense().numpy().tobytes()
    return tensor.detach().clone().contiguous().numpy().tobytes()


def portrait(net: nn.Module) -> list[Any]:
    """All that must come back, as plain data: values, places, flags, modes, generators."""
    found: list[Any] = [torch.get_rng_state().tolist(), random.getstate()]
    found.append(np.random.get_state(legacy=False)["state"]["key"].tolist())  # noqa: NPY002
    for name, module in net.named_modules():
        found += [name, id(module), module.training]
        for key, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is None:
                found += [key, None]
                continue
            found += [
                key,
                id(tensor),
                bits(tensor),
                tensor.shape,
                tensor.requires_grad,
                tensor.grad,
            ]
            if tensor.layout is torch.strided:
                storage = tensor.untyped_storage()
                found += [storage._cdata, storage.nbytes(), tensor.stride()]
                found.append(tensor.storage_offset())
        found += [getattr(module, flag, None) for flag in ("merged", "fused", "late", "ready")]
        for rng in (getattr(module, "torchs", None), getattr(module, "old", None)):
            found.append(None if rng is None else str(list(rng.get_state())))
        if hasattr(module, "numpys"):
            found += [str(module.numpys.bit_generator.state), module.pythons.getstate()]
    return found


X = torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(0))


@given(
    kinds=st.lists(st.sampled_from(ZOO), min_size=1, max_size=3),
    modes=st.lists(st.booleans(), min_size=3, max_size=3),
    mode=st.sampled_from(["train", "eval"]),
    repeats=st.sampled_from([0, 2]),
)
@settings(max_examples=40)
def test_any_of_them_comes_back(
    kinds: list[type[Plain]], modes: list[bool], mode: str, repeats: int
) -> None:
    net = nn.Sequential(*(kind() for kind in kinds))
    for part, training in zip(net, modes):
        part.train(training)
    net[0].linear.weight.grad = torch.ones(WIDTH, WIDTH)
    before = portrait(net)
    # Refused, or raised half-way: no excuse.
    with contextlib.suppress(SwapError, ArithmeticError):
        swap_score(net, X, mode=mode, repeats=repeats)
    assert portrait(net) == before


@pytest.mark.parametrize("kind", [kind for kind in ZOO if kind is not Raises])
def test_each_of_them_is_scored_and_then_scored_alike(kind: type[Plain]) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(kind())
    assert swap_score(net, X) == swap_score(net, X)
    assert swap_score(net, X, mode="eval") == swap_score(net, X, mode="eval")


def test_a_merged_adapter_still_learns() -> None:
    net = nn.Sequential(Merges()).train()
    swap_score(net, X, mode="eval")
    (net(X) @ net[0].adapter).sum().backward()
    assert net[0].adapter.grad is not None
    assert not net[0].merged


def test_a_graph_that_the_caller_holds_stays_valid() -> None:
    net = nn.Sequential(nn.Linear(WIDTH, 3), nn.ReLU(), nn.Linear(3, 2))
    expected = torch.autograd.grad(net(X).sum(), list(net.parameters()))
    output = net(X).sum()
    swap_score(net, X, repeats=2)
    assert all(map(torch.equal, torch.autograd.grad(output, list(net.parameters())), expected))


def test_a_train_that_fails_on_the_way_back_does_not_stop_the_rest() -> None:
    class Refuses(Plain):
        refusing = False

        def train(self, mode: bool = True) -> Refuses:
            if mode and self.refusing:
                raise ArithmeticError("not again")
            return super().train(mode)

    net = nn.Sequential(Refuses(), EditsWeights()).train()
    net[0].refusing = True
    before = portrait(net)
    with pytest.raises(SwapError, match=r"Refuses\.train\(True\) raised ArithmeticError: not aga"):
        swap_score(net, X, mode="eval")
    assert portrait(net) == before


def test_other_attributes_stay_as_the_forward_pass_set_them() -> None:
    class Shows(Plain):
        def nasty(self, x: Tensor) -> None:
            self.shown = x

    net = Shows()
    swap_score(net, X)
    assert torch.equal(net.shown, X)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_networks_return_to_their_device_with_their_gradients(device: str) -> None:
    net = Plain()
    net.linear.weight.grad = torch.ones(WIDTH, WIDTH)
    before = portrait(net)
    with restored(net):
        net.to(device)
    assert portrait(net) == before


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.LazyLinear(3), r"'0.weight' is lazy, .*Run the network once on a minibatch"),
        (lambda: nn.Linear(4, 3, device="meta"), "'0.weight' is on the meta device, .*to_empty"),
    ],
)
def test_networks_without_values_are_refused(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(SwapError, match=message):
        swap_score(nn.Sequential(build(), nn.ReLU()), X)


def test_threads_score_one_after_another() -> None:
    """Also the same network, whose generators, modes and statistics they would share."""
    net = nn.Sequential(nn.Linear(WIDTH, 64), nn.Dropout(0.5), nn.BatchNorm1d(64), nn.ReLU()).eval()
    alone = [swap_score(net, X, repeats=2, seed=seed).psi for seed in range(8)]
    before = portrait(net)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(swap_score, net, X, repeats=2, seed=seed) for seed in range(8)]
    assert [job.result().psi for job in jobs] == alone
    assert portrait(net) == before


def test_a_copy_of_a_scored_network_is_as_a_copy_before() -> None:
    net = EditsWeights()
    before = copy.deepcopy(net)
    swap_score(net, X, repeats=1)
    now = copy.deepcopy(net).state_dict()
    assert all(torch.equal(value, now[key]) for key, value in before.state_dict().items())


def test_zeros_keep_their_sign_and_nan_its_bits() -> None:
    net = nn.Linear(2, 1, bias=False)
    bits = torch.tensor([[0, 0x7FC00001]], dtype=torch.int32)
    net.weight.data = bits.view(torch.float32).clone()
    with restored(net):
        net.weight.data.copy_(torch.tensor([[-0.0, float("nan")]]))
    assert net.weight.data.view(torch.int32).equal(bits)


@pytest.mark.parametrize("inside", [False, True])
def test_programs_of_one_mode_are_refused_and_come_back(inside: bool) -> None:
    class Exported(Plain):  # as what torch.export gives
        def train(self, mode: bool = True) -> Exported:
            raise NotImplementedError("Calling train() is not supported yet.")

    net = nn.Sequential(Plain(), Exported()) if inside else Exported()
    x = torch.randn(4, WIDTH)
    assert swap_score(net, x).score > 1
    with pytest.raises(SwapError, match=r"cannot be put into eval mode \(Calling .*unflatten\("):
        swap_score(net, x, mode="eval")
    assert all(module.training for module in net.modules())
