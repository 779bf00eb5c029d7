"""Rows are found by changing samples, and refused where they belong to several."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from naslib_swap import SwapError, examination, swap_score
from naslib_swap.activations import DEFAULT_ACTIVATIONS, Kind
from naslib_swap.rows import Place, Traces, find_layout
from tests.core.zoo import Net, noise

X = noise(6, 8)


def layer(**more: nn.Module) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"a": nn.Linear(8, 12), **more}


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "_open_classes", {})
    monkeypatch.setattr(examination, "_layouts", {})


@st.composite
def folded(draw: st.DrawFn) -> tuple[int, Place, tuple[int, ...]]:
    samples = draw(st.integers(3, 9))
    outer, inner = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    shape = draw(st.lists(st.integers(1, 5), max_size=2))
    axis = draw(st.integers(0, len(shape)))
    shape.insert(axis, outer * samples * inner)
    return samples, Place(axis, outer), tuple(shape)


@given(folded(), st.integers(0, 1000))
@settings(max_examples=200)
def test_samples_are_found_wherever_they_were_folded(
    case: tuple[int, Place, tuple[int, ...]], seed: int
) -> None:
    samples, place, shape = case
    generator = torch.Generator().manual_seed(seed)
    inner = shape[place.axis] // (samples * place.outer)
    split = (*shape[: place.axis], place.outer, samples, inner, *shape[place.axis + 1 :])
    values = torch.randn(split, generator=generator)

    def run(sources: Tensor) -> Traces:
        traces = Traces()
        folded = values.index_select(place.axis + 1, sources).reshape(shape)
        traces.take(folded, Kind("relu"))
        return traces

    layout = find_layout(run, samples, "Net")
    assert layout is not None
    found = layout[0]
    assert found is not None
    owners = torch.arange(shape[place.axis]) // inner % samples
    same = (
        torch.arange(shape[found.axis]) // (shape[found.axis] // (samples * found.outer)) % samples
    )
    assert found.axis == place.axis
    assert torch.equal(owners, same)


@pytest.mark.parametrize(
    ("function", "recorded"),
    [
        (lambda m, x: F.relu(m.a(x)), "relu"),
        (lambda m, x: F.relu(m.a(x)).view(12, 6).relu(), "relu (2 rows per sample)"),
        (
            lambda m, x: F.relu(torch.cat([m.a(x), m.a(-x)])),
            "relu (2 rows per sample, apart)",
        ),
        (
            lambda m, x: F.relu(m.a(x).view(6, 3, 4).transpose(0, 1)),
            "relu (samples along dimension 1)",
        ),
        (lambda m, x: [F.relu(m.a(row)) for row in x], "relu (one call per sample)"),
    ],
)
def test_recorded_says_where_samples_were(function: Any, recorded: str) -> None:
    result = swap_score(Net(function, **layer()), X)
    assert recorded in result.recorded
    first = swap_score(Net(lambda m, x: F.relu(m.a(x)), **layer()), X)
    assert result.score >= first.score


@pytest.mark.parametrize("batch_repeats", [1, 2])
def test_repeats_use_the_arrangement_that_was_found(batch_repeats: int) -> None:
    apart = Net(lambda m, x: F.relu(torch.cat([m.a(x), m.a(x)])), **layer())
    plain = Net(lambda m, x: F.relu(m.a(x)), **layer())
    options = {"repeats": 4, "batch_repeats": batch_repeats}
    assert swap_score(apart, X, **options).psi == swap_score(plain, X, **options).psi


def sorted_by_content(m: Any, x: Tensor) -> Tensor:
    return F.relu(m.a(x[x[:, 0].argsort()]))


def routed(m: Any, x: Tensor) -> Tensor:
    to_a = x[:, 0] > 0
    return torch.cat([m.experts(x[to_a]), m.a(x[~to_a])])


@pytest.mark.parametrize(
    ("net", "inputs"),
    [
        (nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU()), noise(3, 8, 8)),
        (nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU()), noise(3, 8, 8)),
        (nn.TransformerEncoderLayer(8, 2, 16), noise(6, 3, 8)),
        (Net(lambda m, x: F.relu(m.a(x)[0]), a=nn.LSTM(8, 5)), noise(6, 3, 8)),
        (Net(sorted_by_content, **layer()), X),
        (Net(lambda m, x: F.relu(m.a(x).T @ m.a(x)), **layer()), X),
    ],
)
def test_rows_that_mix_samples_are_refused(net: nn.Module, inputs: Tensor) -> None:
    with pytest.raises(SwapError, match=r"rows of a relu .* change with several of the \d samples"):
        swap_score(net, inputs)
    assert swap_score(net, inputs, check_rows=False).score > 0


def test_experts_that_rows_are_sent_to_are_refused_and_can_be_left_out() -> None:
    class Expert(nn.Sequential):
        pass

    net = Net(
        lambda m, x: (routed(m, x), F.relu(m.b(x)))[1],
        **layer(experts=Expert(nn.Linear(8, 12), nn.ReLU()), b=nn.Linear(8, 9)),
    )
    with pytest.raises(SwapError, match="change in number or shape with what the samples hold"):
        swap_score(net, X)
    table = DEFAULT_ACTIVATIONS.with_module("Expert", Kind("experts", recorded=False))
    result = swap_score(net, X, activations=table)
    assert (result.recorded, result.unrecorded) == ({"relu": 1}, {"experts": 1})


def test_what_no_input_moves_is_no_row_of_samples() -> None:
    table = noise(12, 5)  # a position table of twice as many rows as there are samples
    net = Net(lambda m, x: (F.relu(m.a(x)), F.gelu(table))[0], **layer())
    assert swap_score(net, X).unrecorded == {"gelu (not one row a sample)": 1}


def test_a_dead_layer_counts_where_it_stands() -> None:
    net = Net(lambda m, x: (F.relu(m.a(x)), F.relu(m.a(x).abs().neg().view(12, 6)))[0], **layer())
    assert swap_score(net, X).values == 12 + 12


def test_equal_samples_tell_nothing_and_are_scored() -> None:
    net = Net(lambda m, x: F.gelu(m.a(x).view(12, 6)), **layer())
    assert swap_score(net, X[:1].expand(6, 8)).score == 2


def test_a_plain_network_is_looked_at_once_for_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    # Threads that a library of another test left would be looked into as well.
    monkeypatch.setattr(examination, "other_threads", lambda: nullcontext(lambda: False))
    calls = []

    def run(m: Any, x: Tensor) -> Tensor:
        calls.append(len(x))
        return F.relu(m.a(x))

    first = swap_score(Net(run, **layer()), X)
    assert len(calls) == 2
    assert swap_score(Net(run, **layer()), X) == first
    assert len(calls) == 3
    assert swap_score(Net(run, **layer()), X, check_rows=True) == first
    assert len(calls) == 8


def test_a_check_leaves_no_trace() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(0, 1))
    net.append(nn.ReLU())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    random = torch.get_rng_state()
    result = swap_score(net, noise(6, 3, 8, 8), check_rows=True)
    assert result.recorded == {"relu": 1, "relu (4 rows per sample)": 1}
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())
    assert torch.equal(torch.get_rng_state(), random)
    assert net.training


def test_check_rows_is_one_of_three() -> None:
    with pytest.raises(SwapError, match="got check_rows='yes', expected True, False or 'auto'"):
        swap_score(nn.ReLU(), X, check_rows="yes")
