"""SWAP-Score on networks small enough to count by hand, and what must not change it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from naslib_swap import SwapError, regularised_swap_score, swap_score
from naslib_swap.activations import DEFAULT_ACTIVATIONS, Kind


class Hand(nn.Module):
    """Passes its input through; the activation's patterns are the input's signs."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x)


# Three samples, four values: columns (+,-,+), (-,+,-), (+,-,+), (0,0,0).
INPUT = torch.tensor([[1.0, -1.0, 2.0, 0.0], [-1.0, 3.0, -0.5, 0.0], [0.5, -2.0, 1.0, 0.0]])


def test_a_network_that_works_in_place_leaves_its_inputs_alone() -> None:
    given = {"x": INPUT.clone()}
    net = Hand(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 9), nn.ReLU()))
    first = swap_score(net, given, repeats=2)
    assert torch.equal(given["x"], INPUT)
    assert swap_score(net, given, repeats=2).psi == first.psi
    together = swap_score(net, given, repeats=2, batch_repeats=2)
    assert torch.equal(given["x"], INPUT)
    assert together.psi == first.psi


def test_two_signs_are_all_that_a_gelu_shows() -> None:
    generator = torch.Generator().manual_seed(0)
    full = swap_score(Hand(nn.GELU()), torch.randn(3, 500, generator=generator))
    assert (full.score, full.bound) == (8, 27)
    assert full.near_bound
    wide = swap_score(Hand(nn.GELU()), torch.randn(12, 500, generator=generator))
    assert not wide.near_bound
    zeros = torch.randint(-1, 2, (3, 500), generator=generator).float()
    assert swap_score(Hand(nn.LeakyReLU()), zeros).near_bound  # all 27


@pytest.mark.parametrize("samples", [1023, 1024, 4096])
def test_many_samples_are_no_overflow(samples: int) -> None:
    x = torch.randn(samples, 4, generator=torch.Generator().manual_seed(0)) + 3
    torch.manual_seed(0)
    result = swap_score(nn.Sequential(nn.Linear(4, 64), nn.GELU(), nn.Linear(64, 64), nn.ReLU()), x)
    assert result.bound == 128
    assert result.kinds["signed"].ceiling == result.kinds["rectified"].ceiling == 64
    assert result.near_bound == (result.kinds["signed"].saturation > 0.95)


class Mixed(nn.Module):
    """A stem of ReLUs, a body of GELUs, of so many values each."""

    def __init__(self, stem: int, body: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.body = nn.Linear(9, stem), nn.Linear(9, body)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return F.relu(self.stem(x)), F.gelu(self.body(x))


@pytest.mark.parametrize(("stem", "body"), [(2000, 2000), (2, 2000), (2000, 2)])
def test_a_kind_that_is_full_is_near_the_bound(stem: int, body: int) -> None:
    x = torch.randn(4, 9, generator=torch.Generator().manual_seed(0))
    result = swap_score(Mixed(stem, body), x)
    assert result.near_bound
    assert result.bound == min(min(stem, 16) + min(body, 81), 81)
    rectified, signed = result.kinds["rectified"], result.kinds["signed"]
    assert (rectified.values, signed.values) == (stem, body)
    assert (rectified.ceiling, signed.ceiling) == (min(stem, 16), min(body, 16))
    assert max(rectified.patterns, signed.patterns) <= result.score
    assert result.score <= rectified.patterns + signed.patterns


def test_a_small_part_that_is_full_is_not_the_whole() -> None:
    x = torch.randn(9, 9, generator=torch.Generator().manual_seed(0))
    result = swap_score(Mixed(3, 400), x)
    assert result.kinds["rectified"].saturation == 1
    assert result.kinds["signed"].saturation < 0.95
    assert not result.near_bound


def test_scripted_code_with_buffers_is_refused_as_well() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU()))
    with pytest.raises(SwapError, match="holds scripted, traced or compiled code"):
        swap_score(Hand(scripted), INPUT)


@pytest.mark.parametrize("repeats", [2.5, float("inf")])
def test_repeats_are_whole(repeats: float) -> None:
    with pytest.raises(SwapError, match="expected whole numbers"):
        swap_score(Hand(nn.ReLU()), INPUT, repeats=repeats)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("activation", "psi", "bound"),
    [
        (nn.ReLU(), 3, 4),
        (nn.ReLU(inplace=True), 3, 4),
        (nn.ReLU6(), 3, 4),
        (nn.LeakyReLU(), 3, 4),
        (nn.ELU(inplace=True), 3, 4),
        (nn.GELU(), 3, 4),
        (nn.SiLU(), 3, 4),
        (nn.Mish(), 3, 4),
        (nn.Hardswish(), 3, 4),
        (nn.PReLU(), 3, 4),
    ],
)
def test_by_hand(activation: nn.Module, psi: int, bound: int) -> None:
    result = swap_score(Hand(activation), INPUT.clone())
    assert result.psi == (psi,)
    assert (result.samples, result.values, result.bound) == (3, 4, bound)
    assert result.saturation == psi / bound
    assert result.recorded == {
        {"ReLU": "relu", "ReLU6": "relu6", "LeakyReLU": "leaky_relu"}.get(
            type(activation).__name__, type(activation).__name__.lower()
        ): 1
    }


def test_signs_matter_below_zero_only_where_there_are_any() -> None:
    # ReLU sees (-1, 0) and (0, 0) alike, GELU does not.
    x = torch.tensor([[-1.0, 0.0], [0.0, 0.0]])
    assert swap_score(Hand(nn.ReLU()), x).score == 1
    assert swap_score(Hand(nn.GELU()), x).score == 2


class Functional(nn.Module):
    def __init__(self, call: object) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x)  # type: ignore[operator]


@pytest.mark.parametrize(
    "call",
    [
        F.relu,
        torch.relu,
        Tensor.relu,
        lambda x: x.clone().relu_(),
        lambda x: torch.relu_(x.clone()),
    ],
)
def test_functional_calls_count_as_modules_do(call: object) -> None:
    result = swap_score(Functional(call), INPUT)
    assert (result.psi, result.recorded) == ((3,), {"relu": 1})


def test_a_module_called_twice_counts_twice() -> None:
    relu = nn.ReLU()

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = relu

        def forward(self, x: Tensor) -> Tensor:
            return self.relu(-self.relu(x))

    result = swap_score(Twice(), INPUT)
    assert result.recorded == {"relu": 2}
    assert result.values == 8
    assert result.score == 3  # the second call gives zeros, a pattern already there


def test_what_happens_in_place_afterwards_does_not_count() -> None:
    class Overwritten(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x).zero_()

    assert swap_score(Overwritten(), INPUT).score == 3


def test_kinds_seen_but_not_recorded_are_listed() -> None:
    net = nn.Sequential(nn.ReLU(), nn.Sigmoid(), nn.Tanh())
    assert swap_score(net, INPUT).unrecorded == {"sigmoid": 1, "tanh": 1}


def test_the_table_can_be_extended() -> None:
    table = DEFAULT_ACTIVATIONS.with_function(torch.tanh, Kind("tanh"))
    result = swap_score(Hand(nn.Tanh()), INPUT, activations=table)
    assert (result.score, result.recorded) == (3, {"tanh": 1})

    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x) - F.relu(-x)

    table = DEFAULT_ACTIVATIONS.with_module(Odd, Kind("odd"))
    result = swap_score(nn.Sequential(Odd()), INPUT, activations=table)
    assert (result.values, result.recorded) == (4, {"odd": 1})  # what is inside is not counted


def test_patches_folded_into_the_batch_are_values_of_their_sample() -> None:
    class Folded(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x.reshape(6, 2)).reshape(3, 4)

    result = swap_score(Folded(), INPUT)
    assert (result.values, result.score) == (4, 3)


def test_an_activation_without_the_batch_is_reported() -> None:
    class Bias(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x) + F.gelu(torch.ones(4))

    result = swap_score(Bias(), INPUT)
    assert result.unrecorded == {"gelu (not one row a sample)": 1}


def convolutional(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, 8, 3, stride=2),
        nn.GELU(),
        nn.Flatten(),
        nn.LazyLinear(5),
        nn.LeakyReLU(),
    )


def images(samples: int, seed: int = 0) -> Tensor:
    return torch.randn(samples, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def textbook(net: nn.Module, x: Tensor) -> int:
    """The count that the papers' authors describe: unique columns of the sign matrix."""
    found: list[Tensor] = []
    kinds = (nn.ReLU, nn.GELU, nn.LeakyReLU)
    handles = [
        m.register_forward_hook(lambda m, i, o: found.append(o.clone().flatten(1)))
        for m in net.modules()
        if isinstance(m, kinds)
    ]
    with torch.no_grad():
        net(x)
    for handle in handles:
        handle.remove()
    return len(torch.unique(torch.sign(torch.cat(found, 1)).T, dim=0))


@given(
    samples=st.sampled_from([2, 5, 8, 16, 33, 70]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25)
def test_equals_the_textbook(samples: int, seed: int) -> None:
    net, x = convolutional(seed), images(samples, seed)
    net(x)  # gives the lazy layer its shape
    result = swap_score(net, x)
    assert result.score == textbook(net, x)
    assert result.psi[0] <= result.bound


def test_order_of_samples_does_not_matter() -> None:
    # In eval mode: batch statistics in another order round differently.
    net, x = convolutional().eval(), images(12)
    net(x)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    assert swap_score(net, x, mode="eval").score == swap_score(net, x[order], mode="eval").score


def test_order_of_neurons_and_positive_scales_do_not_matter() -> None:
    net = nn.Sequential(nn.Linear(4, 20), nn.ReLU(), nn.Linear(20, 10), nn.ReLU())
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    before = swap_score(net, x)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for parameter in (net[0].weight, net[0].bias):
            parameter.copy_(parameter[order] * 2)  # powers of two scale without rounding
        net[2].weight.copy_(net[2].weight[:, order] / 2)
    assert swap_score(net, x).score == before.score


def test_duplicate_samples_add_nothing() -> None:
    net, x = convolutional().eval(), images(6)
    net(x)
    twice = swap_score(net, torch.cat([x, x]), mode="eval")
    assert twice.score == swap_score(net, x, mode="eval").score


def snapshot(net: nn.Module) -> dict[str, object]:
    return {
        "state": {k: v.clone() for k, v in net.state_dict().items()},
        "identities": [id(p) for p in net.parameters()] + [id(b) for b in net.buffers()],
        "modes": [m.training for m in net.modules()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()],
        "random": torch.get_rng_state(),
        "grads": [p.grad for p in net.parameters()],
    }


def assert_same(before: dict[str, object], after: dict[str, object]) -> None:
    state, now = before.pop("state"), after.pop("state")
    assert state.keys() == now.keys()  # type: ignore[union-attr]
    assert all(torch.equal(v, now[k]) for k, v in state.items())  # type: ignore
    assert torch.equal(before.pop("random"), after.pop("random"))  # type: ignore[arg-type]
    assert before == after


@pytest.mark.parametrize("repeats", [0, 3])
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("batch_repeats", [1, 2])
def test_the_network_comes_back_as_it_was(repeats: int, mode: str, batch_repeats: int) -> None:
    net = convolutional()
    net(images(2))
    net[1].eval()
    before = snapshot(net)
    swap_score(net, images(4), repeats=repeats, mode=mode, batch_repeats=batch_repeats)
    assert_same(before, snapshot(net))


def test_the_network_comes_back_also_when_it_raises() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("broken on purpose")

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), Broken())
    before = snapshot(net)
    mha = getattr(torch.backends, "mha", None)  # since torch 2.3
    fused = mha and mha.get_fastpath_enabled()
    with pytest.raises(RuntimeError, match="broken on purpose"):
        swap_score(net, images(4), repeats=2)
    assert_same(before, snapshot(net))
    assert (mha and mha.get_fastpath_enabled()) == fused


def test_fused_attention_does_not_hide_its_activations() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, activation="relu", batch_first=True)
    x = torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(0))
    result = swap_score(layer, x, mode="eval")
    assert result.recorded == {"relu": 1}
    assert result.values == 5 * 16


def test_repeats_come_from_the_seed_and_stay_when_more_are_added() -> None:
    net = convolutional()
    net(images(2))
    few = swap_score(net, images(5), repeats=2, seed=3)
    many = swap_score(net, images(5), repeats=4, seed=3)
    assert many.psi[:2] == few.psi
    assert many.score == sum(many.psi) / 4
    assert swap_score(net, images(5), repeats=4, seed=4).psi != many.psi


def test_repeats_forget_the_weights() -> None:
    a, b = convolutional(0), convolutional(1)
    a(images(2)), b(images(2))
    assert swap_score(a, images(5), repeats=2).psi == swap_score(b, images(5), repeats=2).psi


@pytest.mark.parametrize("batch_repeats", [2, 3, 8])
def test_batched_repeats_equal_single_ones(batch_repeats: int) -> None:
    net = convolutional()
    net(images(2))
    alone = swap_score(net, images(6), repeats=7)
    together = swap_score(net, images(6), repeats=7, batch_repeats=batch_repeats)
    # Equal but for a sign that hangs by a rounding error.
    assert all(abs(a - b) <= 1 for a, b in zip(alone.psi, together.psi))
    assert (alone.values, alone.recorded) == (together.values, together.recorded)


def test_inputs_may_be_a_tuple_or_a_mapping() -> None:
    class Two(nn.Module):
        def forward(self, a: Tensor, b: Tensor | None = None, *, scale: float = 1.0) -> Tensor:
            return F.relu(a * scale if b is None else a + b)

    expected = swap_score(Two(), INPUT).score
    assert swap_score(Two(), (INPUT, torch.zeros_like(INPUT))).score == expected
    assert swap_score(Two(), {"a": INPUT, "b": None, "scale": 2.0}).score == expected


def test_regularised_score_by_hand() -> None:
    net = nn.Sequential(nn.Linear(4, 250), nn.ReLU())  # 1,250 parameters
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    result = regularised_swap_score(net, x, mu=1.0, sigma=0.5)
    factor = math.exp(-((1.25 - 1.0) ** 2) / 0.5)
    assert result.score == pytest.approx(result.swap.score * factor)
    assert result.log_score == pytest.approx(math.log(result.swap.score) - 0.125)
    far = regularised_swap_score(net, x, mu=1e6, sigma=1.0)
    assert far.score == 0
    assert math.isfinite(far.log_score)
    assert regularised_swap_score(net, x, mu=1.0, sigma=0.5, parameters=1000).score == (
        result.swap.score
    )


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.zeros(0, 4), r"got an empty minibatch of shape \(0, 4\)"),
        (torch.zeros(1, 4), r"got a minibatch of 1 sample\(s\), expected at least 2"),
        (torch.tensor([[1.0], [float("nan")]]), "with NaN in them, expected numbers"),
        (torch.tensor(1.0), "without a tensor that has a batch dimension"),
        ("images", "got inputs of type str, expected a tensor"),
        ({}, "without a tensor that has a batch dimension"),
    ],
)
def test_bad_inputs(inputs: object, message: str) -> None:
    with pytest.raises(SwapError, match=message):
        swap_score(Hand(nn.ReLU()), inputs)  # type: ignore[arg-type]


def test_no_activation_is_an_error_that_names_what_was_seen() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid())
    with pytest.raises(SwapError, match=r"no activation to record \(seen but not recorded: sigm"):
        swap_score(net, INPUT)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeats": -1}, "got repeats=-1, expected 0"),
        ({"mode": "test"}, "got mode='test', expected 'train' or 'eval'"),
        ({"batch_repeats": 0}, "got batch_repeats=0, expected 1 or more"),
        ({"repeats": 2}, "no convolution or linear layer"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(SwapError, match=message):
        swap_score(Hand(nn.ReLU()), INPUT, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("mu", "sigma"), [(1.0, 0.0), (1.0, -1.0), (float("nan"), 1.0)])
def test_bad_regularisation(mu: float, sigma: float) -> None:
    with pytest.raises(SwapError, match="expected finite numbers"):
        regularised_swap_score(Hand(nn.ReLU()), INPUT, mu=mu, sigma=sigma)


@pytest.mark.parametrize(
    "normalise", [nn.utils.parametrizations.weight_norm, nn.utils.spectral_norm]
)
def test_weights_that_cannot_be_drawn_anew_are_an_error(normalise: Callable) -> None:
    net = nn.Sequential(normalise(nn.Linear(4, 8)), nn.ReLU())
    assert swap_score(net, torch.randn(6, 4)).score > 0
    with pytest.raises(SwapError, match=r"weight of a .*Linear is computed from other parameters"):
        swap_score(net, torch.randn(6, 4), repeats=2)


@pytest.mark.parametrize("hide", [torch.jit.script, torch.compile])
def test_parts_that_cannot_be_seen_are_an_error_not_a_smaller_score(hide: Callable) -> None:
    hidden = hide(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), hidden)
    with pytest.raises(SwapError, match=r"scripted, traced or compiled code \(2.*cannot be seen"):
        swap_score(net, torch.randn(6, 4))


def test_inputs_agree_on_the_number_of_samples() -> None:
    class Scaled(nn.Module):
        def forward(self, scale: Tensor, x: Tensor) -> Tensor:
            return F.relu(scale * x)

    x = torch.randn(12, 4)
    shared = swap_score(Scaled(), {"scale": torch.ones(1, 4), "x": x})
    assert shared.samples == 12
    with pytest.raises(SwapError, match=r"\(3,\), \(12, 4\), expected one number of samples"):
        swap_score(Scaled(), {"scale": torch.ones(3), "x": x})


def test_nan_weights_are_an_error() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    nn.init.constant_(net[0].weight, float("nan"))
    with pytest.raises(SwapError, match="1 of 1 activations hold NaN, the first of them relu"):
        swap_score(net, INPUT)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_counts_as_the_cpu_does() -> None:
    net = nn.Sequential(nn.Linear(4, 300), nn.ReLU(), nn.Linear(300, 40), nn.GELU()).double()
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)).double()
    here = swap_score(net, x)
    assert swap_score(net, x, device="cuda").psi == here.psi
    assert next(net.parameters()).device.type == "cpu"
