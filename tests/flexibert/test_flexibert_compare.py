"""Comparing encoders, from a plan to tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from naslib_swap.errors import SwapError, Unscorable
from naslib_swap.flexibert import FlexibertPlan, compare_encoders, report, score_encoder
from naslib_swap.flexibert.benchmark import TASKS, BenchmarkEntry
from naslib_swap.flexibert.encoder import parse, to_dict


@pytest.fixture
def plan(files: dict[str, str]) -> FlexibertPlan:
    return FlexibertPlan(
        proxies=("swap", "params", "layers_hidden"),
        text=files["text"],
        tokenizer="trained",
        samples=4,
        length=4,
        benchmark=files["benchmark"],
    )


def _with(plan: FlexibertPlan, **changed: Any) -> FlexibertPlan:
    return FlexibertPlan(**{**vars(plan), **changed})


def test_gives_frames_and_writes_nothing(
    plan: FlexibertPlan, tmp_path: Path, texts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    found = compare_encoders(plan)
    assert not list(empty.iterdir())
    assert sorted(found.table["proxy"]) == ["layers_hidden", "params", "swap"]
    values = found.scores.pivot(index="arch", columns="proxy", values="value")
    assert list(values.index) == [f"#{n} {text}" for n, text in enumerate(texts)]
    assert values["layers_hidden"].tolist() == [2e6 + 128, 1e6 + 128, 1e6 + 256]
    for text, value in zip(texts, values["swap"]):
        assert score_encoder(parse(text), plan)["swap"].value == value
    # Three encoders are enough for a rank.
    ranks = found.tasks.set_index("proxy").loc["layers_hidden"]
    assert ranks["cola"] == ranks["glue"] == pytest.approx(-0.5)
    assert found.released is None
    assert found.remarks() == []


@pytest.mark.usefixtures("no_pictures")
def test_resumes_and_scores_equal_networks_once(
    plan: FlexibertPlan, files: dict[str, str], tmp_path: Path
) -> None:
    entries = json.loads(Path(files["benchmark"]).read_text())
    twin = to_dict(parse("128/LT-DCT-4-1024x1"))  # that of 256/LT-DCT-4-512x1, at this fidelity
    entries.append({**entries[0], "id": 3, "hparams": {"model_hparam_overrides": twin}})
    Path(files["benchmark"]).write_text(json.dumps(entries))
    jobs: list[tuple[int, int]] = []

    def show(done: int, total: int) -> None:
        jobs.append((done, total))

    first = compare_encoders(plan, out=tmp_path / "out", progress=show)
    again = compare_encoders(plan, out=tmp_path / "out", progress=show)
    assert jobs == [(0, 3), (1, 3), (2, 3), (3, 3), (0, 0)]
    pd.testing.assert_frame_equal(first.scores, again.scores)
    values = again.scores.pivot(index="arch", columns="proxy", values="value")
    assert len(values) == 4
    twins = values.loc[["#2 256/LT-DCT-4-512x1", "#3 128/LT-DCT-4-1024x1"]]
    assert twins["swap"].nunique() == twins["params"].nunique() == 1
    # What is stated of them differs, and is shown as it is stated.
    assert twins["layers_hidden"].tolist() == [1e6 + 256, 1e6 + 128]
    more = _with(plan, seeds=2)
    assert set(compare_encoders(more, out=tmp_path / "out").scores["seed"]) == {0, 1}


def test_draws_and_refuses(plan: FlexibertPlan) -> None:
    notes: list[str] = []
    found = compare_encoders(_with(plan, archs=0, proxies=("params",)), note=notes.append)
    assert len(found.entries) == 3
    assert notes == ["archs 0 stands for all encoders, as it used to; write all."]
    with pytest.raises(SwapError, match="got 4 encoders to draw, expected 3 to 3, or all"):
        compare_encoders(_with(plan, archs=4))
    with pytest.raises(SwapError, match="got the proxy 'nwot', expected one of swap"):
        compare_encoders(_with(plan, proxies=("nwot",)))


def test_what_fails_is_said(plan: FlexibertPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr("naslib_swap.flexibert.probe.count_patterns", fail)
    (remark,) = compare_encoders(plan).remarks()
    assert remark.startswith("swap failed on 3 encoder(s), #0 128/SA-SDP")
    assert remark.endswith("for one: RuntimeError: no memory")
    with pytest.raises(Unscorable, match="all 3 scores failed, the first with: RuntimeError: no"):
        compare_encoders(_with(plan, proxies=("swap",)))


@pytest.mark.usefixtures("no_pictures")
def test_only_what_is_stated(plan: FlexibertPlan, tmp_path: Path) -> None:
    found = compare_encoders(_with(plan, proxies=("layers_hidden",)), out=tmp_path / "out")
    assert found.table["n"].tolist() == [3]


@pytest.mark.usefixtures("no_pictures")
def test_presented_tables(plan: FlexibertPlan, tmp_path: Path) -> None:
    found = compare_encoders(_with(plan, proxies=("swap", "params")), out=tmp_path)
    assert "| SWAP |" in (tmp_path / "flexibert.md").read_text()
    assert len(pd.read_csv(tmp_path / "table-i.csv")) == 2
    (title, (numbers, view)), tasks = found.sections().items()
    assert title.startswith("Table I: 3 encoders, paper, 4 documents of 4 tokens (")
    # one-layer encoders are two, too few for a correlation within their depth
    assert {"within_depth_1", "within_depth_2", "within_1x128"} <= set(numbers.columns)
    assert numbers["within_depth_1"].isna().all()
    assert {"proxy", "depth 1", "ms/arch"} <= set(view.columns)
    assert list(tasks[1][0].columns) == ["proxy", *TASKS, "glue"]


def test_task_correlations_by_hand() -> None:
    rng = np.random.default_rng(0)
    entries = [
        BenchmarkEntry(
            i, parse(f"16/SA-SDP-2-{i + 1}x1"), {t: rng.normal() for t in (*TASKS, "glue")}
        )
        for i in range(4)
    ]
    scores = _scores(entries, [3.0, 1.0, 2.0, 4.0])
    found = report.task_table(scores, entries).iloc[0]
    for task in TASKS:
        truth = pd.Series([entry.scores[task] for entry in entries])
        expected = scores["value"].rank().corr(truth.rank())
        assert found[task] == pytest.approx(expected)


def _scores(entries: list[BenchmarkEntry], values: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "space": "flexibert",
            "task": "glue",
            "proxy": "swap",
            "arch": [report.name_of(e) for e in entries],
            "seed": 0,
            "value": values,
            "saturation": 0.5,
            "seconds": 1.0,
            "error": None,
        }
    )


def test_within_a_depth_by_hand() -> None:
    entries = [
        BenchmarkEntry(i, parse(f"16/SA-SDP-2-{i + 1}x1"), {t: float(i) for t in (*TASKS, "glue")})
        for i in range(6)
    ]
    scores = _scores(entries, [0.0, 1.0, 2.0, 3.0, 5.0, 4.0])
    row = report.table_one(scores, entries).iloc[0]
    assert row["within_depth_1"] == pytest.approx(1 - 6 * 2 / (6 * 35))
    assert row["within_1x16"] == row["within_depth_1"] == row["spearman"]
    released = pd.DataFrame({"SWAP": [0.0, 2.0, 4.0, 6.0, 10.0, 8.0]})
    against = report.released_table(scores, released, {"swap": "SWAP"}).iloc[0]
    assert (against["spearman"], against["n"]) == (1.0, 6)
    assert against["equal"] == pytest.approx(1 / 6)  # 0 and 0


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(SwapError, match="got the task 'wnli', expected one of cola"):
        report.truth_of([], "wnli")
