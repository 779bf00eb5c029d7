"""Inputs as call arguments: nested ones, bound ones, and what is refused."""

from __future__ import annotations

import functools
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from naslib_swap import SwapError, regularised_swap_score, swap_score
from naslib_swap.arguments import Arguments, copied

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
IMAGES = [torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(i)) for i in range(6)]
Pair = namedtuple("Pair", "first second")


class Reads(nn.Module):
    """ReLU of the tensor that `read` finds in the arguments."""

    def __init__(self, read: Any) -> None:
        super().__init__()
        self.read = read

    def forward(self, *given: Any, **named: Any) -> Tensor:
        return torch.relu(self.read(*given, **named))


EXPECTED = swap_score(Reads(lambda x: x), X)


@pytest.mark.parametrize(
    ("inputs", "read"),
    [
        (({"image": X, "name": "cat"},), lambda batch: batch["image"]),
        ({"batch": {"image": X}}, lambda batch: batch["image"]),
        (([X, X + 1],), lambda views: views[0]),
        ((OrderedDict(deep=[(X,), {"scale": torch.ones(1, 4)}]),), lambda d: d["deep"][0][0]),
        ((Pair(X, None),), lambda pair: pair.first),
    ],
)
def test_one_argument_may_hold_tensors_as_deep_as_you_like(inputs: Any, read: Any) -> None:
    assert swap_score(Reads(read), inputs).psi == EXPECTED.psi


@pytest.mark.parametrize(
    ("inputs", "samples"),
    [
        ((IMAGES,), 6),
        ((IMAGES, [{"boxes": torch.rand(n, 4)} for n in range(6)]), 6),
        (([torch.rand(n + 1, 3) for n in range(6)],), 6),
        (([torch.rand(6, 8, 4, 4), torch.rand(6, 16, 2, 2)],), 6),
        (([torch.rand(6, 2), torch.rand(1, 2)],), 6),
        ({"x": X, "scale": torch.tensor(2.0), "empty": [], "note": "text"}, 6),
    ],
)
def test_samples_are_found(inputs: Any, samples: int) -> None:
    assert Arguments.of(inputs).samples == samples


def test_calls_get_copies_of_all_that_is_nested() -> None:
    given = ({"x": [X.clone()]},)
    Arguments.of(given).call(lambda batch: batch["x"][0].zero_())
    assert torch.equal(given[0]["x"][0], X)


def test_what_can_be_cloned_and_moved_is() -> None:
    class Graph:
        def __init__(self) -> None:
            self.device, self.copies = "cpu", 0

        def to(self, device: Any) -> Graph:
            self.device = str(device)
            return self

        def clone(self) -> Graph:
            self.copies += 1
            return self

    graph = Graph()
    arguments = Arguments.of((graph, [X]), torch.device("meta"))
    assert (graph.device, arguments.positional[1][0].device.type) == ("meta", "meta")
    arguments.call(lambda graph, x: None)
    assert graph.copies == 1


def test_copies_keep_types() -> None:
    value = OrderedDict(pair=Pair(X, [1, "a"]), none=None)
    found = copied(value)
    assert isinstance(found, OrderedDict)
    assert isinstance(found["pair"], Pair)
    assert found["pair"].second == [1, "a"]
    assert found["pair"].first is not X


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, mask: Tensor, x: Tensor, scale: float = 1.0) -> Tensor:
        return torch.relu(self.linear(x) @ mask.mul_(scale))


def test_what_is_no_batch_goes_into_a_partial() -> None:
    net, mask = Masked(), torch.eye(4)
    net.eval()
    with pytest.raises(SwapError, match=r"\(4, 4\), \(6, 4\), .*functools\.partial\(net, name="):
        swap_score(net, (mask, X))
    found = swap_score(functools.partial(net, mask, scale=2.0), X, repeats=2)
    assert found.psi == swap_score(functools.partial(net, torch.eye(4)), X, repeats=2).psi
    assert found.parameters == 20
    assert torch.equal(mask, torch.eye(4))  # it got a copy
    assert not net.training
    twice = functools.partial(functools.partial(net, mask), scale=3.0)
    assert swap_score(twice, {"x": X}, repeats=2).psi == found.psi
    assert regularised_swap_score(twice, X, mu=1, sigma=1, repeats=2).swap.psi == found.psi


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (functools.partial(torch.relu), r"a functools\.partial of relu, expected a torch\.nn\.Mod"),
        (torch.relu, r"got relu, expected a torch\.nn\.Module or a functools\.partial of one"),
        (nn.Linear, "got Linear, expected"),
    ],
)
def test_what_is_no_network_is_refused(net: Any, message: str) -> None:
    with pytest.raises(SwapError, match=message):
        swap_score(net, X)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((6, 4)), r"numpy array of shape \(6, 4\), .*torch\.from_numpy\(array\)\.float"),
        ({"x": [np.zeros(3)]}, "numpy array"),
        (({"x": torch.full((2, 2), float("nan"))},), "with NaN in them"),
        (([X], [X[:5]]), r"\(6, 4\), \(5, 4\), expected one number of samples"),
        ((IMAGES, X[:5]), r"a list of 6, \(5, 4\), expected one number of samples"),
        (([],), "without a tensor that has a batch dimension"),
        (object(), "got inputs of type object"),
        ({"x": [X[:0]]}, r"an empty minibatch of shape \(0, 4\)"),
    ],
)
def test_bad_inputs(inputs: Any, message: str) -> None:
    with pytest.raises(SwapError, match=message):
        swap_score(Reads(lambda x: x), inputs)


def test_numbers_of_numpy_are_numbers() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    expected = swap_score(net, X, repeats=2, batch_repeats=2, seed=1)
    found = swap_score(
        net,
        X,
        repeats=np.int64(2),  # type: ignore[arg-type]
        batch_repeats=np.int32(2),  # type: ignore[arg-type]
        seed=np.int64(1),  # type: ignore[arg-type]
    )
    assert found == expected
