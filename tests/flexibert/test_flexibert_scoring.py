"""Scoring and reporting, from an encoder to the tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from naslib_swap import swap_score
from naslib_swap.errors import SwapError
from naslib_swap.scoring.store import ScoreStore, read_records
from naslib_swap.flexibert import report
from naslib_swap.flexibert.batches import TextBatch
from naslib_swap.flexibert.benchmark import TASKS, BenchmarkEntry
from naslib_swap.flexibert.chunked import Trail, count_patterns
from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.encoder import Encoder, parse
from naslib_swap.flexibert.modelling import EncoderLayer, FlexiBertModel
from naslib_swap.flexibert.scoring import (
    PROXIES,
    SWAP,
    Settings,
    check_proxies,
    missing_jobs,
    run,
    score_encoder,
)
from naslib_swap.flexibert.weights import draw

TEXTS = [
    "16/SA-SDP-2-8x1/LT-DFT-2-8x1",
    "16/SA-WMA-4-8x2",
    "32/DSC-5-2-16x1",
    "32/LT-DCT-2-16x2/SA-SDP-2-16x1",
    "16/LT-DCT-2-8x1",
    "32/SA-SDP-2-16x1",
]
TRAINED = Settings(fidelity="trained", observed=2)


def _batch(samples: int = 6, length: int = 5) -> TextBatch:
    ids = torch.randint(1, 90, (samples, length), generator=torch.Generator().manual_seed(1))
    return TextBatch(ids, torch.ones_like(ids), torch.zeros_like(ids), "test", "test", "digest")


def _entries() -> list[BenchmarkEntry]:
    rng = np.random.default_rng(0)
    return [
        BenchmarkEntry(i, parse(text), {task: float(rng.normal()) + i for task in (*TASKS, "glue")})
        for i, text in enumerate(TEXTS)
    ]


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
    with pytest.raises(SwapError, match="got mode='test'"):
        count_patterns(_config(TEXTS[0]), _batch(12), mode="test")


ALIKE = [
    "16/SA-SDP-2-8x1/LT-DFT-2-8x2/SA-SDP-2-8x1",
    "16/SA-SDP-2-8x1/LT-DFT-2-8x2",  # ends where the one before goes on
    "16/SA-SDP-2-8x1/LT-DFT-2-8x2/SA-SDP-4-8x1",  # goes on where the one before ends
    "16/SA-SDP-2-8x1/LT-DFT-2-8x2/SA-SDP-4-8x1",
    "16/SA-SDP-2-8x1/LT-DFT-2-16x2",
    "32/SA-SDP-2-8x1/LT-DFT-2-16x2",
]


@pytest.mark.parametrize("texts", [ALIKE, ALIKE[::-1]])
def test_a_trail_changes_nothing(texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Several chunks: a layer that ends an encoder draws less dropout than one that does not.
    monkeypatch.setattr("naslib_swap.flexibert.chunked._CHUNK", 4)
    trail = Trail()
    for text in [*texts, *texts]:
        config = _config(text)
        counter = count_patterns(config, _batch(12), trail=trail)
        alone = count_patterns(config, _batch(12))
        assert (counter.count(), counter.values) == (alone.count(), alone.values)


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


def test_encoders_that_are_one_network_have_one_score() -> None:
    # At this fidelity the stated widths have no effect.
    one, other = "256/SA-SDP-2-512x1/DSC-5-2-512x1", "128/SA-SDP-2-1024x1/DSC-5-2-512x1"
    settings = Settings(fidelity="paper", observed=2)
    found = [
        score_encoder(parse(text), _batch(), (SWAP, "jacobian"), settings=settings)
        for text in (one, other)
    ]
    for name in (SWAP, "jacobian"):
        assert found[0][name].value == found[1][name].value


def test_nan_has_no_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    draw_weights = FlexiBertModel._init_weights

    def broken(net: FlexiBertModel, module: nn.Module) -> None:
        draw_weights(net, module)
        if isinstance(module, EncoderLayer):
            nn.init.constant_(module.feed_forward.layers[0].bias, float("nan"))

    with monkeypatch.context() as patch:
        patch.setattr(FlexiBertModel, "_init_weights", broken)
        scores = score_encoder(parse(TEXTS[0]), _batch(), (SWAP,), settings=TRAINED)
    assert scores[SWAP].error is not None
    assert "activation call 0 of layer 0 holds NaN, which has no sign" in scores[SWAP].error


def test_jobs_go_from_one_encoder_to_the_like() -> None:
    encoders = {text: parse(text) for text in reversed(ALIKE)}
    jobs = missing_jobs(encoders, (SWAP,), (0, 1), TRAINED, _batch(), set())
    assert [job.seed for job in jobs] == [0] * 5 + [1] * 5
    order = [job.arch for job in jobs[:5]]
    assert order.index(ALIKE[1]) == order.index(ALIKE[0]) + 2 == order.index(ALIKE[2]) + 1


def test_scores_are_those_of_the_seed_alone() -> None:
    encoder = parse(TEXTS[0])
    state = torch.random.get_rng_state()
    first = score_encoder(encoder, _batch(), settings=TRAINED, seed=3)
    assert list(first) == list(PROXIES)
    assert all(score.error is None for score in first.values())
    assert torch.equal(torch.random.get_rng_state(), state)
    again = score_encoder(encoder, _batch(), ("synaptic_diversity", SWAP), settings=TRAINED, seed=3)
    for name, score in again.items():
        assert score.value == first[name].value
    other = score_encoder(encoder, _batch(), (SWAP,), settings=TRAINED, seed=4)
    assert other[SWAP].value != first[SWAP].value


def test_every_gpu_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, fork = [], torch.random.fork_rng

    def seen(devices: list[int]) -> Any:
        kept.append(devices)
        return fork(devices=[])

    monkeypatch.setattr(torch.random, "fork_rng", seen)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    score_encoder(parse(TEXTS[0]), _batch(), (SWAP, "jacobian"), settings=TRAINED)
    # Weights and dropout of embeddings and two layers for SWAP, the weights again for the
    # comparators, and their passes.
    assert kept == [[0, 1]] * 10


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_generator_comes_back() -> None:
    before = torch.cuda.get_rng_state_all()
    score_encoder(parse(TEXTS[0]), _batch(), settings=TRAINED, seed=3)
    for state, was in zip(torch.cuda.get_rng_state_all(), before):
        assert torch.equal(state, was)


def test_settings_tell_apart_what_matters() -> None:
    batch = _batch()
    base = TRAINED.relevant(SWAP, batch)
    assert Settings(fidelity="paper").relevant(SWAP, batch) != base
    assert TRAINED.relevant(SWAP, _batch(samples=4)) != base
    cotangent = Settings(fidelity="trained", observed=2, cotangent="paper")
    assert cotangent.relevant(SWAP, batch) == base
    assert cotangent.relevant("jacobian", batch) != TRAINED.relevant("jacobian", batch)
    assert cotangent.relevant("params", batch) == TRAINED.relevant("params", batch)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fidelity": "best"}, "unknown fidelity 'best'"),
        ({"operations": "none"}, "unknown operations 'none'"),
        ({"mode": "both"}, "unknown mode 'both'"),
        ({"cotangent": "ones"}, "unknown cotangent 'ones'"),
        ({"observed": 1}, "observed=1"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(SwapError, match=message):
        Settings(**change)  # type: ignore[arg-type]


def test_unknown_proxies_are_refused() -> None:
    with pytest.raises(SwapError, match="unknown proxies nwot"):
        check_proxies(["swap", "nwot"])
    with pytest.raises(SwapError, match="none given"):
        check_proxies([])


def test_attention_in_every_layer() -> None:
    stated = score_encoder(parse(TEXTS[0]), _batch(), ("params",), settings=TRAINED)
    attention = score_encoder(
        parse(TEXTS[0]),
        _batch(),
        ("params",),
        settings=Settings(fidelity="trained", operations="attention"),
    )
    # a linear transform has one projection of 16 x 16 and a bias; attention has three
    assert attention["params"].value - stated["params"].value == 2 * (16 * 16 + 16)


def _run(path: Path, count: int = len(TEXTS), workers: int = 1, **options: Any) -> int:
    encoders = {report.name_of(e): e.encoder for e in _entries()[:count]}
    names = ("swap", "params", "head_confidence")
    with ScoreStore(path) as store:
        return run(encoders, names, store, _batch(), settings=TRAINED, workers=workers, **options)


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    assert _run(path, count=4) == 4
    assert _run(path) == 2
    assert _run(path) == 0
    other = tmp_path / "other.jsonl"
    assert _run(other) == 6

    def values(p: Path) -> dict[tuple[str, str], float]:
        return {(r["arch"], r["proxy"]): r["value"] for r in read_records(p)}

    assert values(path) == values(other)
    assert len(values(path)) == 18


def test_failures_stay_until_they_are_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, notes = tmp_path / "scores.jsonl", []

    def fail(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("no memory")

    with monkeypatch.context() as broken:
        broken.setattr("naslib_swap.flexibert.scoring.count_patterns", fail)
        assert _run(path, note=notes.append) == 6
    before = path.read_bytes()
    assert _run(path, count=4, note=notes.append) == 0
    assert path.read_bytes() == before
    assert notes == ["4 score(s) failed in an earlier run; --retry-failed tries them again."]
    assert _run(path, retry_failed=True, note=notes.append) == 6
    assert len(notes) == 1
    new = list(read_records(path))[18:]
    assert [record["proxy"] for record in new] == ["swap"] * 6
    archs = [report.name_of(entry) for entry in _entries()]
    scores = report.scores_of(path, archs, ("swap",), (0,), TRAINED, _batch())
    assert scores["error"].isna().all()
    assert _run(path, retry_failed=True) == 0


def test_documents_must_fit_the_encoders(tmp_path: Path) -> None:
    message = "got documents of 513 tokens, expected at most 512"
    with pytest.raises(SwapError, match=message):
        score_encoder(parse(TEXTS[0]), _batch(2, 513), ("params",))
    with ScoreStore(tmp_path / "scores.jsonl") as store, pytest.raises(SwapError, match=message):
        run({"a": parse(TEXTS[0])}, ("params",), store, _batch(2, 513))
    found = score_encoder(parse(TEXTS[1]), _batch(2, 512), (SWAP,), settings=TRAINED)
    assert found[SWAP].error is None


@pytest.mark.slow
def test_an_encoder_whose_worker_dies_has_failed_and_the_others_go_on(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    encoders = {report.name_of(e): e.encoder for e in _entries()}
    deadly = list(encoders)[2]
    encoders[deadly] = _Deadly(encoders[deadly].hidden_size, encoders[deadly].layers)
    with ScoreStore(path) as store:
        assert run(encoders, ("params",), store, _batch(), settings=TRAINED, workers=2) == 6
    errors = {record["arch"]: record["error"] for record in read_records(path)}
    assert "the worker died, killed or for want of memory" in errors.pop(deadly)
    assert set(errors.values()) == {None}
    assert len(errors) == 5


class _Deadly(Encoder):
    """Kills the process in which it is unpickled: the worker."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (9,)


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    _run(tmp_path / "one.jsonl")
    _run(tmp_path / "two.jsonl", workers=2)
    one, two = (
        {(r["arch"], r["proxy"]): r["value"] for r in read_records(tmp_path / name)}
        for name in ("one.jsonl", "two.jsonl")
    )
    assert one == two


def test_tables(tmp_path: Path) -> None:
    path, entries = tmp_path / "scores.jsonl", _entries()
    _run(path)
    archs = [report.name_of(e) for e in entries]
    assert archs[0] == "#0 16/SA-SDP-2-8x1/LT-DFT-2-8x1"
    scores = report.scores_of(path, archs, ("swap", "params"), (0,), TRAINED, _batch())
    assert len(scores) == 12
    table = report.table_one(scores, entries).set_index("proxy")
    assert table.loc["swap", "n"] == 6
    # one-layer encoders are four, too few for a correlation within their depth
    assert {"within_depth_1", "within_depth_2", "within_1x16"} <= set(table.columns)
    assert table["within_depth_1"].isna().all()
    tasks = report.task_table(scores, entries)
    assert list(tasks.columns) == ["proxy", *TASKS, "glue"]
    values = scores[scores["proxy"] == "params"].set_index("arch")["value"]
    expected = values.rank().corr(pd.Series(report.truth_of(entries, "rte")).rank())
    assert tasks.set_index("proxy").loc["params", "rte"] == pytest.approx(expected)
    numbers, view = table.reset_index(), report.presented_table_one(table.reset_index())
    report.write_tables(tmp_path, {"Table I: test": (numbers, view)})
    assert "| SWAP |" in (tmp_path / "flexibert.md").read_text()
    assert len(pd.read_csv(tmp_path / "table-i.csv")) == 2


def test_within_a_depth_by_hand() -> None:
    entries = [
        BenchmarkEntry(i, parse(f"16/SA-SDP-2-{i + 1}x1"), {t: float(i) for t in (*TASKS, "glue")})
        for i in range(6)
    ]
    values = [0.0, 1.0, 2.0, 3.0, 5.0, 4.0]
    scores = pd.DataFrame(
        {
            "space": "flexibert",
            "task": "",
            "proxy": "swap",
            "arch": [report.name_of(e) for e in entries],
            "seed": 0,
            "value": values,
            "saturation": 0.5,
            "seconds": 1.0,
            "error": None,
        }
    )
    row = report.table_one(scores, entries).iloc[0]
    assert row["within_depth_1"] == pytest.approx(1 - 6 * 2 / (6 * 35))
    assert row["within_1x16"] == row["within_depth_1"] == row["spearman"]
    released = pd.DataFrame({"SWAP": [0.0, 2.0, 4.0, 6.0, 10.0, 8.0]})
    against = report.released_table(scores, released, {"swap": "SWAP"}).iloc[0]
    assert (against["spearman"], against["n"]) == (1.0, 6)
    assert against["equal"] == pytest.approx(1 / 6)  # 0 and 0


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(SwapError, match="unknown task 'wnli'"):
        report.truth_of(_entries(), "wnli")
