"""Scoring encoders: counts, trails, weights, and what the spine makes of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from naslib_swap import swap_score
from naslib_swap.errors import BadArgument, SwapError
from naslib_swap.flexibert.batches import TextBatch
from naslib_swap.flexibert.chunked import Trail, count_patterns
from naslib_swap.flexibert.comparators import PROXIES
from naslib_swap.flexibert.compare import study_of
from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.encoder import Encoder, Layer, encode, parse
from naslib_swap.flexibert.modelling import EncoderLayer, FlexiBertModel
from naslib_swap.flexibert.observation import observe
from naslib_swap.flexibert.plan import FlexibertPlan
from naslib_swap.flexibert.subject import TextEncoder
from naslib_swap.flexibert.texts import Texts
from naslib_swap.flexibert.weights import draw
from naslib_swap.scoring import Conditions, Execution, Recipe, Study, gather, score
from naslib_swap.scoring.images import Digests
from naslib_swap.scoring.runs import run
from naslib_swap.scoring.store import LineStore
from naslib_swap.scoring.study import missing

TEXTS = [
    "16/SA-SDP-2-8x1/LT-DFT-2-8x1",
    "16/SA-WMA-4-8x2",
    "32/DSC-5-2-16x1",
    "32/LT-DCT-2-16x2/SA-SDP-2-16x1",
    "16/LT-DCT-2-8x1",
    "32/SA-SDP-2-16x1",
]


def _batch(samples: int = 6, length: int = 5) -> TextBatch:
    ids = torch.randint(1, 90, (samples, length), generator=torch.Generator().manual_seed(1))
    return TextBatch(ids, torch.ones_like(ids), torch.zeros_like(ids), "test", "test", "digest")


@dataclass(frozen=True)
class Given:
    """Inputs that are there already."""

    samples: int = 6
    source: str = "test"

    def batch(self, task: Any, seed: int) -> TextBatch:
        return _batch(self.samples)

    def shape(self, task: Any) -> tuple[int, ...]:
        return (5,)

    def digests(self, task: Any, seed: int) -> Digests:
        return Digests(f"{self.samples}")


SETTINGS = {"mode": "train", "cotangent": "random", "observed": 2}
CONDITIONS = Conditions(Given(), SETTINGS)


def _trained(text: str) -> TextEncoder:
    return TextEncoder(text, "trained")


def _config(text: str, fidelity: str = "trained") -> FlexiBertConfig:
    return FlexiBertConfig.from_encoder(parse(text), fidelity, vocab_size=90)


@pytest.mark.parametrize("text", TEXTS[:4])
def test_chunks_count_as_the_whole_does(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naslib_swap.flexibert.chunked._CHUNK", 4)
    config = _config(text)
    whole = swap_score(draw(config, 3), _batch().inputs(), mode="eval")
    counter = count_patterns(config, _batch(), seed=3, mode="eval")
    assert (counter.count(), counter.values, counter.bound) == (
        whole.score,
        whole.values,
        whole.bound,
    )
    trained = count_patterns(config, _batch(), seed=1, mode="train").count()
    assert trained == count_patterns(config, _batch(), seed=1, mode="train").count()


def test_padding_is_no_token_in_chunks_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naslib_swap.flexibert.chunked._CHUNK", 4)
    batch = _batch(12)
    batch.attention_mask[1, 2:] = batch.attention_mask[9, 1:] = 0
    config = _config(TEXTS[3])
    whole = swap_score(draw(config, 0), batch.inputs(), mode="eval").score
    assert count_patterns(config, batch, mode="eval").count() == whole
    assert whole != count_patterns(config, _batch(12), mode="eval").count()


def test_counting_leaves_no_trace() -> None:
    state = torch.random.get_rng_state()
    count_patterns(_config(TEXTS[0]), _batch(12))
    assert torch.equal(torch.random.get_rng_state(), state)
    with pytest.raises(SwapError, match="got mode 'test', expected one of train, eval"):
        count_patterns(_config(TEXTS[0]), _batch(12), mode="test")


ALIKE = [
    "16/SA-SDP-2-8x1/LT-DFT-2-8x2/SA-SDP-2-8x1",
    "16/SA-SDP-2-8x1/LT-DFT-2-8x2",  # ends where the one before goes on
    "16/SA-SDP-2-8x1/LT-DFT-2-8x2/SA-SDP-4-8x1",  # goes on where the one before ends
    "16/SA-SDP-2-8x1/LT-DFT-2-8x2/SA-SDP-4-8x1",
    "16/SA-SDP-2-8x1/LT-DFT-2-16x2",
    "32/SA-SDP-2-8x1/LT-DFT-2-16x2",
]


@cache
def _alone(text: str) -> tuple[int, int]:
    counter = count_patterns(_config(text), _batch(12))
    return counter.count(), counter.values


@pytest.mark.parametrize("texts", [ALIKE, ALIKE[::-1]])
def test_a_trail_changes_nothing(texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Several chunks: a layer that ends an encoder draws less dropout than one that does not.
    monkeypatch.setattr("naslib_swap.flexibert.chunked._CHUNK", 4)
    trail = Trail()
    for text in [*texts, *texts]:
        config = _config(text)
        counter = count_patterns(config, _batch(12), trail=trail)
        assert (counter.count(), counter.values) == _alone(text)


def test_a_trail_is_left_where_anything_differs() -> None:
    trail, config = Trail(), _config(TEXTS[3])
    for batch, seed, mode in [
        (_batch(12), 0, "train"),
        (_batch(10), 0, "train"),
        (_batch(10), 1, "train"),
        (_batch(10), 1, "eval"),
    ]:
        counter = count_patterns(config, batch, seed=seed, mode=mode, trail=trail)
        assert counter.count() == count_patterns(config, batch, seed=seed, mode=mode).count()


def test_layers_in_common_are_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[nn.Module] = []
    mix = EncoderLayer.mix

    def seen(layer: EncoderLayer, *arguments: Any) -> torch.Tensor:
        ran.append(layer)
        return mix(layer, *arguments)

    monkeypatch.setattr(EncoderLayer, "mix", seen)
    trail, layers = Trail(), []
    for text in ALIKE:
        count_patterns(_config(text), _batch(), trail=trail)
        layers.append(len(ran))
        ran.clear()
    assert layers == [3, 0, 1, 0, 1, 2]


def test_encoders_that_begin_alike_share_weights() -> None:
    first, second = (draw(_config(text), 5) for text in (ALIKE[0], ALIKE[4]))
    for name, value in first.embeddings.state_dict().items():
        assert torch.equal(value, second.embeddings.state_dict()[name])
    assert torch.equal(_query(first, 0), _query(second, 0))
    deeper = draw(_config(ALIKE[2]), 5)
    assert not torch.equal(_query(first, 0), _query(draw(_config(ALIKE[0]), 6), 0))
    assert not torch.equal(_query(first, 2), _query(deeper, 2))
    assert not torch.equal(_query(first, 0), _query(first, 2))
    drawn = torch.cat([p.detach().flatten() for p in first.parameters() if p.dim() > 1])
    assert abs(float(drawn.std()) / 0.02 - 1) < 0.05


def _query(net: FlexiBertModel, layer: int) -> torch.Tensor:
    weight = net.get_parameter(f"layers.{layer}.mixing.query.weight")
    return weight.detach()


LAYERS = st.builds(
    Layer,
    operation=st.just("SA"),
    parameter=st.sampled_from(["SDP", "WMA"]),
    heads=st.sampled_from([2, 4]),
    feed_forward_dimension=st.sampled_from([512, 1024]),
    feed_forward_layers=st.sampled_from([1, 3]),
)
ENCODERS = st.builds(
    Encoder,
    hidden_size=st.sampled_from([128, 256]),
    layers=st.lists(LAYERS, min_size=1, max_size=2).map(tuple),
)


@settings(max_examples=60)
@given(ENCODERS, ENCODERS, st.sampled_from(["paper", "trained"]))
def test_names_are_alike_where_networks_are(one: Encoder, other: Encoder, fidelity: str) -> None:
    first, second = (TextEncoder(encode(encoder), fidelity) for encoder in (one, other))
    alike = first.configuration().parts() == second.configuration().parts()
    assert (first.name == second.name) == alike
    assert TextEncoder(first.name, fidelity).name == first.name


def test_names_by_hand() -> None:
    text = "128/SA-SDP-2-512x1/DSC-5-2-512x3"
    assert TextEncoder(text).name == "256/SA-SDP-2-1024x1/DSC-5-2-1024x3"
    assert _trained(text).name == text
    assert _trained("128/SA-SDP-2-1024x1/DSC-5-2-512x3").name == text  # one layer: 4 x 128
    attention = TextEncoder(text, "trained", "attention")
    assert attention.name == "128/SA-SDP-2-512x1/SA-SDP-2-512x3"
    assert len({TextEncoder(text).variant, _trained(text).variant, attention.variant}) == 3


ONE, OTHER = "256/SA-SDP-2-512x1/DSC-5-2-512x1", "128/SA-SDP-2-1024x1/DSC-5-2-512x1"


def test_encoders_that_are_one_network_have_one_score() -> None:
    # At this fidelity the stated widths have no effect.
    names = [name for name in PROXIES if name != "layers_hidden"]
    one, other = (score(TextEncoder(text), names, CONDITIONS) for text in (ONE, OTHER))
    assert {n: found.value for n, found in one.items()} == {
        n: found.value for n, found in other.items()
    }


def test_equal_networks_are_scored_once(tmp_path: Path) -> None:
    study = replace(
        _study(), subjects={f"#{n}": TextEncoder(text) for n, text in enumerate((ONE, OTHER, ONE))}
    )
    with LineStore(tmp_path / "scores.jsonl") as store:
        assert run([study], store) == 1
        assert len(list(store.records())) == 3
        (frame,) = gather([study], store)
    values = frame.pivot(index="arch", columns="proxy", values="value")
    assert list(values.index) == ["#0", "#1", "#2"]
    assert (values.nunique() == 1).all()


def test_the_spine_counts_as_swap_score_does() -> None:
    conditions = Conditions(Given(), {**SETTINGS, "mode": "eval"})
    for text in TEXTS[:4]:
        subject = _trained(text)
        net = draw(subject.configuration(), 3)
        whole = swap_score(net, _batch().inputs(), mode="eval")
        found = score(subject, ["swap"], conditions, seed=3)["swap"]
        assert (found.value, found.saturation) == (whole.score, whole.score / whole.bound)


def test_nan_has_no_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    draw_weights = FlexiBertModel._init_weights

    def broken(net: FlexiBertModel, module: nn.Module) -> None:
        draw_weights(net, module)
        if isinstance(module, EncoderLayer):
            nn.init.constant_(module.feed_forward.layers[0].bias, float("nan"))

    monkeypatch.setattr(FlexiBertModel, "_init_weights", broken)
    found = score(_trained(TEXTS[0]), ["swap"], CONDITIONS)["swap"]
    assert found.value is None
    assert "activation call 0 of layer 0 holds NaN, which has no sign" in str(found.error)


def test_jobs_go_from_one_encoder_to_the_like() -> None:
    plan = FlexibertPlan(fidelity="trained", proxies=("swap",), seeds=2)
    study = replace(
        study_of(plan, {text: parse(text) for text in reversed(ALIKE)}), conditions=CONDITIONS
    )
    jobs = missing(study)
    assert [job.seed for job in jobs] == [0] * 5 + [1] * 5
    order = [job.subject.text for job in jobs[:5]]
    assert order.index(ALIKE[1]) == order.index(ALIKE[0]) + 2 == order.index(ALIKE[2]) + 1


def test_scores_are_those_of_the_seed_alone() -> None:
    state = torch.random.get_rng_state()
    subject = _trained(TEXTS[0])
    first = score(subject, list(PROXIES), CONDITIONS, seed=3)
    assert list(first) == list(PROXIES)
    assert all(found.error is None for found in first.values())
    assert torch.equal(torch.random.get_rng_state(), state)
    again = score(subject, ["synaptic_diversity", "swap"], CONDITIONS, seed=3)
    for name, found in again.items():
        assert found.value == first[name].value
    assert score(subject, ["swap"], CONDITIONS, seed=4)["swap"].value != first["swap"].value


def test_a_pass_is_made_once_and_charged_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def seen(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return observe(*arguments, **options)

    monkeypatch.setattr("naslib_swap.flexibert.probe.observe", seen)
    names = ("jacobian", "head_confidence", "params")
    found = score(_trained(TEXTS[0]), names, CONDITIONS)
    assert len(calls) == 1
    assert min(found["jacobian"].seconds, found["head_confidence"].seconds) > 0
    assert len(calls[0][1].input_ids) == SETTINGS["observed"]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_generator_comes_back() -> None:
    before = torch.cuda.get_rng_state_all()
    score(_trained(TEXTS[0]), list(PROXIES), CONDITIONS, seed=3)
    for state, was in zip(torch.cuda.get_rng_state_all(), before):
        assert torch.equal(state, was)


def test_recipes_tell_apart_what_matters() -> None:
    def recipe(proxy: str, subject: TextEncoder, samples: int = 6, **changed: str) -> str:
        conditions = Conditions(Given(samples), {**SETTINGS, **changed})
        return Recipe.of(subject, proxy, conditions, 0).id

    trained = _trained(TEXTS[0])
    base = recipe("swap", trained)
    assert recipe("swap", TextEncoder(TEXTS[0])) != base
    assert recipe("swap", trained, samples=4) != base
    assert recipe("swap", trained, mode="eval") != base
    assert recipe("swap", trained, cotangent="paper") == base
    assert recipe("jacobian", trained, cotangent="paper") != recipe("jacobian", trained)
    assert recipe("head_confidence", trained, cotangent="paper") == recipe(
        "head_confidence", trained
    )
    assert recipe("params", trained, samples=4, cotangent="paper") == recipe("params", trained)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fidelity": "best"}, "got fidelity 'best', expected one of paper, trained"),
        ({"operations": "none"}, "got operations 'none', expected one of stated, attention"),
        ({"mode": "both"}, "got mode 'both', expected one of train, eval"),
        ({"cotangent": "ones"}, "got cotangent 'ones', expected one of paper, random"),
        ({"observed": 1}, "got observed 1, expected at least 2"),
        ({"seeds": 0}, "got seeds 0, expected at least 1"),
        ({"length": 513}, "got documents of 513 tokens, expected at most 512"),
    ],
)
def test_bad_plans_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        FlexibertPlan(**change)


def test_an_encoder_that_a_fidelity_cannot_build_has_no_score() -> None:
    found = score(TextEncoder("9/SA-SDP-3-512x1", "paper"), ["params"], CONDITIONS)["params"]
    assert found.value is None
    assert "3 heads, which do not divide the width 256 of fidelity 'paper'" in str(found.error)
    with pytest.raises(BadArgument, match="cannot read the encoder 'nonsense'"):
        score(TextEncoder("nonsense"), ["params"], CONDITIONS)


def test_unknown_proxies_are_refused() -> None:
    with pytest.raises(SwapError, match="got the proxy 'nwot', expected one of swap, synaptic_d"):
        score(_trained(TEXTS[0]), ["swap", "nwot"], CONDITIONS)


def test_attention_in_every_layer() -> None:
    stated = score(_trained(TEXTS[0]), ["params"], CONDITIONS)
    attention = score(TextEncoder(TEXTS[0], "trained", "attention"), ["params"], CONDITIONS)
    # a linear transform has one projection of 16 x 16 and a bias; attention has three
    assert attention["params"].value - stated["params"].value == 2 * (16 * 16 + 16)


def test_documents_must_fit_the_encoders() -> None:
    with pytest.raises(SwapError, match="got documents of 513 tokens, expected at most 512"):
        score(_trained(TEXTS[0]), ["params"], Conditions(Texts("none.txt", length=513)))


def _study(count: int = len(TEXTS), make: Callable[[str], TextEncoder] = _trained) -> Study:
    return Study(
        "flexibert",
        "glue",
        {f"#{n} {text}": make(text) for n, text in enumerate(TEXTS[:count])},
        ("swap", "params", "head_confidence"),
        conditions=CONDITIONS,
    )


def _values(path: Path) -> dict[tuple[str, str], float]:
    with LineStore(path) as store:
        return {(r.key.arch, r.key.proxy): r.score.value for r in store.records()}


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path, other = tmp_path / "scores.jsonl", tmp_path / "other.jsonl"
    with LineStore(path) as store:
        assert [run([_study(count)], store) for count in (4, 6, 6)] == [4, 2, 0]
    with LineStore(other) as store:
        assert run([_study()], store) == 6
    assert _values(path) == _values(other)
    assert len(_values(path)) == 18


def test_scores_of_an_earlier_version_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    old = '{"space": "flexibert", "task": "", "arch": "#0", "proxy": "swap", "settings_id": "a"}\n'
    path.write_text(old)
    notes: list[str] = []
    with LineStore(path, notes.append) as store:
        assert run([_study(3)], store) == 3
    assert any("1 score(s) of an earlier version" in note for note in notes)
    assert path.read_text().startswith(old)


class Deadly(TextEncoder):
    """Kills the process in which it is unpickled: the worker."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (9,)


@pytest.mark.slow
def test_an_encoder_whose_worker_dies_has_failed_and_the_others_go_on(tmp_path: Path) -> None:
    def make(text: str) -> TextEncoder:
        return (Deadly if text == TEXTS[2] else TextEncoder)(text, "trained")

    study = _study(make=make)
    with LineStore(tmp_path / "scores.jsonl") as store:
        assert run([study], store, Execution(workers=2)) == 6
        errors = {record.key.arch: record.score.error for record in store.records()}
    assert "the worker died, killed or out of memory" in str(errors.pop(_trained(TEXTS[2]).name))
    assert set(errors.values()) == {None}
    assert len(errors) == 5


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    for name, workers in (("one.jsonl", 1), ("two.jsonl", 2)):
        with LineStore(tmp_path / name) as store:
            run([_study()], store, Execution(workers=workers))
    assert _values(tmp_path / "one.jsonl") == _values(tmp_path / "two.jsonl")
