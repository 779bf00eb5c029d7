"""Leaf modules that run without interception, and batch normalisation without statistics."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from naslib_swap import swap_score
from naslib_swap.activations import DEFAULT_ACTIVATIONS, Kind
from naslib_swap.leaves import unobserved, untracked
from naslib_swap.traversal import modules_of

X = torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(0))


class Seen(TorchFunctionMode):
    """Counts the functions that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[Any] = Counter()
        self.noted: list[Any] = []

    def note(self, *call: Any) -> None:
        self.noted.append(call)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls[func] += 1
        return func(*args, **(kwargs or {}))


def convolutional() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
    )


@contextmanager
def quick(net: nn.Module) -> Iterator[Seen]:
    with torch.no_grad(), Seen() as seen, unobserved(modules_of(net), seen.note):
        yield seen


def test_nothing_is_intercepted_and_the_activation_is_noted() -> None:
    net = convolutional()
    with quick(net) as seen:
        out = net(X)
    assert not seen.calls
    [(function, (given,), named, output)] = seen.noted
    assert function is F.relu
    assert named == {}
    assert given.relu().equal(output)
    assert net[3](output).equal(out)
    assert out.equal(net(X))
    assert all("forward" not in module.__dict__ for module in net.modules())


def test_an_image_without_a_batch_dimension_is_intercepted() -> None:
    net = nn.Conv2d(3, 4, 3)
    with quick(net) as seen:
        net(X[0])
    assert seen.calls[F.conv2d] == 1


def test_classes_and_forward_passes_of_the_users_own_are_intercepted() -> None:
    class Mine(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).relu()

    patched = nn.Conv2d(3, 4, 3)
    patched.forward = kept = lambda x: x.relu()  # type: ignore[method-assign]
    net = nn.ModuleList([Mine(3, 4, 3), patched])
    with quick(net) as seen:
        for module in net:
            module(X)
    assert seen.calls[Tensor.relu] == 2
    assert patched.forward is kept


def test_weights_with_functions_of_their_own_are_intercepted() -> None:
    class Loud(nn.Parameter):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if func is F.linear:
                return torch.full((8, 2), 7.0)
            return super().__torch_function__(func, types, args, kwargs or {})

    net = nn.Linear(3, 2)
    net.weight = Loud(net.weight.data)
    with quick(net):
        assert net(X[:, :, 0, 0]).eq(7).all()


def test_a_copy_made_in_the_forward_pass_computes_with_its_own_weights() -> None:
    net = nn.Linear(3, 2)
    with quick(net):
        doubled = copy.deepcopy(net)
        doubled.weight.data *= 2
        doubled.bias.data *= 2
        assert torch.allclose(doubled(X[:, :, 0, 0]), 2 * net(X[:, :, 0, 0]))


@pytest.mark.parametrize("inplace", [False, True])
def test_a_copy_made_in_the_forward_pass_counts(inplace: bool) -> None:
    class Copying(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(3, 8), nn.ReLU(inplace))

        def forward(self, x: Tensor) -> Tensor:
            return copy.deepcopy(self.inner)(x)

    assert swap_score(Copying(), X[:, :, 0, 0]).recorded == {"relu": 1}


def test_other_function_modes_and_tables_see_all_calls() -> None:
    net = convolutional()
    with Seen() as seen:
        swap_score(net, X, check_rows=False)
    assert seen.calls[F.batch_norm] == 1
    table = DEFAULT_ACTIVATIONS.with_function(F.conv2d, Kind("convolution"))
    assert swap_score(net, X, activations=table).recorded == {"convolution": 1, "relu": 1}


def test_statistics_are_left_alone_and_outputs_stay_the_same() -> None:
    net = convolutional()
    expected = copy.deepcopy(net)(X)
    before = copy.deepcopy(net.state_dict())
    with untracked(modules_of(net)):
        assert net(X).equal(expected)
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())
    assert net[1].track_running_stats


def test_in_eval_mode_statistics_are_used() -> None:
    net = convolutional().eval()
    expected = net(X)
    with untracked(modules_of(net)):
        assert net(X).equal(expected)


@pytest.mark.parametrize("batch_repeats", [1, 2])
def test_the_score_is_that_of_all_calls_intercepted(batch_repeats: int) -> None:
    options = {"repeats": 2, "batch_repeats": batch_repeats}
    net = convolutional()
    with Seen():
        expected = swap_score(net, X, **options)
    assert swap_score(net, X, **options) == expected
