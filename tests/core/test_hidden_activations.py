"""Activations that a function mode alone would miss: counted, listed, or refused."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naslib_swap import SwapError, swap_score
from naslib_swap.activations import DEFAULT_ACTIVATIONS, Kind
from tests.core.zoo import Net, h_swish, noise, scripted

HARD_SWISH = "relu6 of x + 3 (a hard swish or its gate; its ReLU6 is counted)"
X, SEQUENCES = noise(6, 8), noise(6, 5, 8)


def patterns(*arrays: Tensor) -> int:
    matrix = torch.cat([torch.sign(array).reshape(len(array), -1) for array in arrays], 1).T
    return len({tuple(row) for row in matrix.tolist()})


def test_states_of_a_recurrent_layer_by_hand() -> None:
    torch.manual_seed(0)
    rnn = nn.RNN(8, 7, 2, nonlinearity="relu", batch_first=True)
    states: list[list[Tensor]] = [[], []]
    with torch.no_grad():
        h = [torch.zeros(6, 7), torch.zeros(6, 7)]
        for step in range(5):
            x = SEQUENCES[:, step]
            for n in range(2):
                w, u, b, c = (getattr(rnn, f"{p}_l{n}") for p in _RNN_WEIGHTS)
                x = h[n] = torch.relu(x @ w.T + b + h[n] @ u.T + c)
                states[n].append(x)
    result = swap_score(rnn, SEQUENCES)
    assert result.recorded == {"relu": 2}
    assert result.values == 2 * 5 * 7
    assert result.score == patterns(*states[0], *states[1])


_RNN_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def test_a_layered_call_of_a_recurrent_layer_gives_the_same_output() -> None:
    torch.manual_seed(0)
    rnn = nn.RNN(8, 7, 3, nonlinearity="relu", bidirectional=True, batch_first=True)
    outputs = []

    def run(m: Any, x: Tensor) -> Tensor:
        outputs.append(m.rnn(x))
        return F.relu(outputs[-1][0])

    swap_score(Net(run, rnn=rnn), SEQUENCES)
    for given, expected in zip(outputs[0], rnn(SEQUENCES)):
        assert torch.equal(given, expected)


@pytest.mark.parametrize(
    ("layer", "name"), [(nn.LSTM(8, 5), "lstm"), (nn.GRU(8, 5), "gru"), (nn.RNN(8, 5), "rnn_tanh")]
)
def test_gates_are_listed(layer: nn.Module, name: str) -> None:
    net = Net(lambda m, x: (F.relu(x), m.rnn(x.transpose(0, 1)))[0], rnn=layer)
    assert swap_score(net, SEQUENCES).unrecorded == {name: 1}


def test_packed_sequences_are_listed() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, [5, 4, 3, 2, 2, 1], batch_first=True)
        m.rnn(packed)
        return F.relu(x)

    rnn = nn.RNN(8, 7, nonlinearity="relu", batch_first=True)
    assert "rnn_relu (packed sequence)" in swap_score(Net(run, rnn=rnn), SEQUENCES).unrecorded


class Hidden(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * (x > 0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


@torch.jit.script
def twice(x: Tensor) -> Tensor:
    return torch.relu(-torch.relu(x - 1))


@pytest.mark.parametrize(
    ("function", "recorded", "unrecorded"),
    [
        (scripted, {"relu": 2}, {}),
        (twice, {"relu": 3}, {}),
        (Hidden.apply, {"relu": 1}, {"comparison with 0": 1}),
        (lambda x: F.hardtanh(x, 0, 6), {"relu": 1, "relu6": 1}, {}),
        (F.hardtanh, {"relu": 1}, {"hardtanh": 1}),
        (lambda x: x.clip_(0), {"relu": 1}, {"clamp": 1}),
        (lambda x: x.clamp(min=0), {"relu": 1}, {"clamp": 1}),
        (lambda x: torch.maximum(x, torch.zeros(())), {"relu": 1}, {"maximum": 1}),
        (lambda x: x * torch.sigmoid(x), {"relu": 1, "silu": 1}, {}),
        (lambda x: x.sigmoid().mul_(x), {"relu": 1, "silu": 1}, {}),
        (lambda x: x * torch.sigmoid(2 * x), {"relu": 1}, {"sigmoid": 1}),
        (lambda x: x * F.relu6(x + 3) / 6, {"relu": 1, "relu6": 1}, {HARD_SWISH: 1}),
        (lambda x: x * (F.relu6(3.0 + x) / 6), {"relu": 1, "relu6": 1}, {HARD_SWISH: 1}),
        (lambda x: F.relu6(x + 2), {"relu": 1, "relu6": 1}, {}),
        (torch.ops.aten.gelu, {"relu": 1, "gelu": 1}, {}),
        (torch.ops.aten.silu.default, {"relu": 1, "silu": 1}, {}),
    ],
)
def test_what_is_recorded_and_what_is_listed(
    function: Any, recorded: dict[str, int], unrecorded: dict[str, int]
) -> None:
    result = swap_score(Net(lambda m, x: F.relu(function(x.clone()))), X)
    assert (result.recorded, result.unrecorded) == (recorded, unrecorded)


def test_a_table_may_count_the_sigmoid_itself() -> None:
    table = DEFAULT_ACTIVATIONS.with_function(torch.sigmoid, Kind("sigmoid", signed=False))
    net = Net(lambda m, x: F.relu(x * torch.sigmoid(x)))
    assert swap_score(net, X, activations=table).recorded == {"relu": 1, "sigmoid": 1}


def test_a_hard_swish_spelt_out_is_hardswish() -> None:
    torch.manual_seed(0)
    line = nn.Linear(8, 40)
    spelt = swap_score(nn.Sequential(line, h_swish()), X)
    built_in = swap_score(nn.Sequential(line, nn.Hardswish()), X)
    assert spelt == built_in
    assert spelt.recorded == {"hardswish": 1}


def test_a_network_that_is_named_like_an_activation_is_a_network() -> None:
    class Swish(nn.Sequential):
        pass

    net = Swish(nn.Linear(8, 9), nn.ReLU(), nn.Linear(9, 9), nn.GELU())
    assert swap_score(net, X).recorded == {"relu": 1, "gelu": 1}


def test_traced_graphs_of_operators_are_counted() -> None:
    make_fx = pytest.importorskip("torch.fx.experimental.proxy_tensor").make_fx
    torch.manual_seed(0)
    block = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.GELU())
    with torch.no_grad():
        graph = make_fx(block)(X)
    assert swap_score(graph, X).psi == swap_score(block, X).psi


def test_an_operator_of_ones_own_is_listed() -> None:
    library = torch.library.Library("swap_tests", "DEF")
    library.define("rectify(Tensor x) -> Tensor")
    library.impl("rectify", lambda x: x.clamp(min=0), "CompositeExplicitAutograd")
    net = Net(lambda m, x: F.relu(torch.ops.swap_tests.rectify(x)))
    assert swap_score(net, X).unrecorded == {"swap_tests.rectify (an operator, not looked into)": 1}


def in_a_new_thread(function: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


@pytest.fixture(scope="module")
def in_a_thread_that_was_there() -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """A worker that takes functions from a queue: nothing that the library could wrap."""
    tasks: queue.Queue[Any] = queue.Queue()
    results: queue.Queue[Any] = queue.Queue()

    def work() -> None:
        while (task := tasks.get()) is not None:
            results.put(task())

    def run(function: Callable[[], Any]) -> Any:
        tasks.put(function)
        return results.get()

    thread = threading.Thread(target=work)
    thread.start()
    yield run
    tasks.put(None)
    thread.join()


def test_modules_in_other_threads_are_refused() -> None:
    class Threaded(Net):
        pass

    net = Threaded(lambda m, x: F.relu(x + in_a_new_thread(lambda: m.a(x))), a=nn.Linear(8, 8))
    with pytest.raises(
        SwapError, match="Threaded calls Linear in another thread than the caller's"
    ):
        swap_score(net, X)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(
    ("function", "name"),
    [(torch.relu, "relu"), (lambda x: x.relu_(), "relu"), (F.gelu, "gelu"), (torch.tanh, "tanh")],
)
def test_functions_in_other_threads_are_refused(
    function: Any, name: str, there: bool, in_a_thread_that_was_there: Any
) -> None:
    class Threaded(Net):
        pass

    elsewhere = in_a_thread_that_was_there if there else in_a_new_thread

    def run(m: Any, x: Tensor) -> Tensor:
        m.kept = x + 1
        there = elsewhere(lambda: function(m.kept))
        return F.relu(m.a(there))

    net = Threaded(run, a=nn.Linear(8, 8))
    with pytest.raises(SwapError, match=f"Threaded calls {name} in another thread"):
        swap_score(net, X)
    assert type(net.kept) is Tensor


def test_other_threads_that_have_no_activation_are_no_hindrance(
    in_a_thread_that_was_there: Any,
) -> None:
    class Threaded(Net):
        pass

    net = Threaded(lambda m, x: F.relu(in_a_thread_that_was_there(lambda: x + 1)))
    assert swap_score(net, X) == swap_score(Net(lambda m, x: F.relu(x + 1)), X)


def test_a_network_that_takes_plain_tensors_alone_is_scored_beside_other_threads(
    in_a_thread_that_was_there: Any,
) -> None:
    class Strict(Net):
        pass

    def run(m: Any, x: Tensor) -> Tensor:
        if type(x) is not Tensor:
            raise TypeError("expected a Tensor")
        return F.relu(x)

    assert swap_score(Strict(run), X).recorded == {"relu": 1}
