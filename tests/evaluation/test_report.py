from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from naslib_swap.errors import SwapError
from naslib_swap.evaluation import pictures
from naslib_swap.evaluation.report import (
    Outcome,
    markdown,
    outcome_of,
    presented,
    presented_beside,
    presented_overview,
)
from naslib_swap.evaluation.results import write_results
from naslib_swap.figures import save
from naslib_swap.ground_truth import GroundTruth
from naslib_swap.scoring import Architecture, Conditions, Images, Study

ARCHS = tuple(f"a{n:02}" for n in range(20))
RNG = np.random.default_rng(3)
TRUTH = dict(zip(ARCHS, 90 + 4 * RNG.random(20)))


def _values(noise: float) -> dict[str, float]:
    return {arch: TRUTH[arch] + noise * RNG.normal() for arch in ARCHS}


COMPUTED = {"swap": _values(0.3), "params": _values(2.0), "depth": dict.fromkeys(ARCHS, 5.0)}
STORED = {
    "params": {arch: value + 0.01 for arch, value in list(COMPUTED["params"].items())[:12]},
    "snip": {arch: value for arch, value in _values(1.0).items() if arch != "a03"},
}


def _study(space: str = "nasbench201", task: str = "cifar10") -> Study:
    subjects = {arch: Architecture(space, task, arch) for arch in ARCHS}
    return Study(space, task, subjects, tuple(COMPUTED), (0,), Conditions(Images("natural", 16)))


def _scores(space: str = "nasbench201", task: str = "cifar10") -> pd.DataFrame:
    rows = [
        (space, task, proxy, arch, 0, value, 1.0 if proxy == "swap" else np.nan, 0.002, None)
        for proxy, values in COMPUTED.items()
        for arch, value in values.items()
    ]
    frame = pd.DataFrame(
        rows,
        columns=["space", "task", "proxy", "arch", "seed", "value", "saturation", "seconds",
                 "error"],
    )  # fmt: skip
    broken = (frame["proxy"] == "params") & (frame["arch"] == "a07")
    frame.loc[broken, ["value", "error"]] = [np.nan, "MemoryError: <b>no room</b>"]
    return frame


def _outcome(space: str = "nasbench201", task: str = "cifar10", **options) -> Outcome:
    truth = GroundTruth(space, task, "analog", TRUTH, STORED)
    return outcome_of(_study(space, task), truth, _scores(space, task), **options)


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return _outcome()


def test_stored_proxies_that_were_not_computed_have_their_own_rows(outcome):
    table = outcome.table.set_index("proxy")
    assert dict(table["source"]) == {
        "swap": "computed", "params": "computed", "depth": "computed", "snip": "stored",
    }  # fmt: skip
    snip = table.loc["snip"]
    both = [a for a in ARCHS if a in STORED["snip"]]
    expected = stats.spearmanr([STORED["snip"][a] for a in both], [TRUTH[a] for a in both])
    assert snip["spearman"] == pytest.approx(expected[0])
    assert (snip["n"], snip["failed"], snip["seeds"]) == (19, 1, 0)
    assert np.isnan(snip["seconds_per_arch"])


def test_stored_scores_stand_beside_computed_ones_of_the_same_architectures(outcome):
    (row,) = outcome.beside.to_dict("records")
    both = [a for a in STORED["params"] if a != "a07"]
    accuracy = [TRUTH[a] for a in both]
    ours, theirs = ([v[a] for a in both] for v in (COMPUTED["params"], STORED["params"]))
    assert row["proxy"] == "params"
    assert row["stored_n"] == len(both) == 11
    assert row["computed_spearman"] == pytest.approx(stats.spearmanr(ours, accuracy)[0])
    assert row["stored_spearman"] == pytest.approx(stats.spearmanr(theirs, accuracy)[0])
    assert row["difference"] == row["computed_spearman"] - row["stored_spearman"]
    assert row["agreement"] == pytest.approx(1)
    assert outcome.table.set_index("proxy").loc["params", "agreement"] == pytest.approx(1)
    assert list(presented_beside(outcome.beside)["proxy"]) == ["#Params"]


def test_remarks_name_failures_constants_and_bounds(outcome):
    assert outcome.remarks == (
        "params failed on 1 architecture, a07 alone: MemoryError: <b>no room</b>",
        "depth gives all 20 architectures the score 5 under seed 0: nothing to rank.",
    )


def test_a_score_that_is_always_at_its_bound_asks_for_more_samples():
    scores = _scores()
    scores.loc[scores["proxy"] == "swap", "value"] = 256.0
    truth = GroundTruth("nasbench201", "cifar10", "analog", TRUTH)
    remarks = outcome_of(_study(), truth, scores).remarks
    assert any("upper bound; use more samples" in remark for remark in remarks)


def test_the_view_leaves_out_what_is_empty_and_marks_what_is_stored(outcome):
    view = presented(outcome.table)
    assert list(view["proxy"]) == ["SWAP", "SNIP (stored)", "#Params", "Depth"]
    assert "± seeds" not in view.columns
    assert view.set_index("proxy").loc["SWAP", "ms/arch"] == "2.0"
    assert view.set_index("proxy").loc["SWAP", "saturated"] == "100%"
    assert view.set_index("proxy").loc["#Params", "failed"] == "1"


def test_where_a_proxy_failed_all_are_shown_on_what_every_one_scored(outcome):
    view = presented(outcome.table).set_index("proxy")
    both = [a for a in ARCHS if a != "a07"]
    expected = stats.spearmanr([COMPUTED["swap"][a] for a in both], [TRUTH[a] for a in both])
    assert (view.loc["SWAP", "n"], view.loc["#Params", "n"]) == ("20", "19")
    assert view.loc["SWAP", "common"] == f"{expected[0]:.3f}"
    assert "k = 10. Common to all computed proxies: 19 architectures." in markdown([outcome])
    whole = _scores()
    whole.loc[whole["arch"] == "a07", ["value", "error"]] = [1.0, None]
    truth = GroundTruth("nasbench201", "cifar10", "analog", TRUTH)
    complete = outcome_of(_study(), truth, whole)
    assert {"n", "common"}.isdisjoint(presented(complete.table).columns)
    assert "Common to all" not in markdown([complete])


def test_without_timings_nothing_of_them_is_left(outcome):
    quiet = _outcome(timings=False)
    assert quiet.table["seconds_per_arch"].isna().all()
    assert "ms/arch" not in presented(quiet.table).columns
    pd.testing.assert_frame_equal(
        quiet.table.drop(columns="seconds_per_arch"), outcome.table.drop(columns="seconds_per_arch")
    )


def test_markdown_holds_every_table_and_its_legend(outcome):
    text = markdown([outcome])
    assert "## nasbench201 / cifar10: 20 of 20 architectures, 1 seed, 16 images (natural)" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in rows if "Spearman" in line or "SWAP" in line} == {
        rows[0].count("|")
    }
    assert "- params failed on 1 architecture" in text
    assert "regret@k: accuracy lost" in text


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.links += [v for n, v in attrs if n in ("src", "href", "xlink:href") and v]
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("results")
    write_results(out, [_outcome(), _outcome("nasbench201", "cifar100")])
    return out


def test_a_folder_of_results_is_complete(folder):
    kinds = ("ranking", "scatter", "proxies")
    names = [f"{k}-nasbench201-{t}" for k in kinds for t in ("cifar10", "cifar100")]
    expected = {f"{n}.{e}" for n in [*names, "heatmap"] for e in ("png", "svg")}
    expected |= {"correlations.csv", "correlations.md", "report.html"}
    assert {path.name for path in folder.iterdir()} == expected
    assert all(path.stat().st_size > 500 for path in folder.iterdir())


def test_the_csv_starts_with_the_promised_columns(folder):
    lines = (folder / "correlations.csv").read_text().splitlines()
    assert lines[0].startswith(
        "proxy,space,task,n,seeds,spearman,ci_low,ci_high,kendall,seconds_per_arch,"
        "saturated_fraction,"
    )
    assert len(lines) == 1 + 2 * 4
    frame = pd.read_csv(io.StringIO("\n".join(lines)))
    assert set(frame["task"]) == {"cifar10", "cifar100"}


def test_the_page_stands_alone(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert not page.open
    # An overview; for each task, proxies, how they agree, and stored beside computed ones.
    assert page.seen.count("table") == 7
    assert page.seen.count("svg") == 2
    assert "<th>common</th>" in text
    assert "Common to all computed proxies: 19 architectures." in text
    outside = [link for link in page.links if not link.startswith(("#", "data:"))]
    assert outside == []
    assert not re.search(r"@import|url\(['\"]?http", text.split("<script", 1)[0])
    assert "&lt;b&gt;no room&lt;/b&gt;" in text
    assert "<b>no room" not in text


def test_the_same_results_give_the_same_bytes(folder, tmp_path):
    write_results(tmp_path, [_outcome(), _outcome("nasbench201", "cifar100")])
    for name in ("correlations.csv", "correlations.md", "report.html", "heatmap.svg"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_proxies_are_compared_by_rank_and_in_their_directions(monkeypatch):
    monkeypatch.setattr(pictures, "directions_of", lambda order: {p: p != "cost" for p in order})
    scores = _scores()
    turned = scores[scores["proxy"] == "swap"].assign(proxy="cost", value=lambda f: -f["value"])
    everything = pd.concat([scores, turned])
    found = pictures.rank_correlations(everything, ["swap", "cost", "depth", "params"])
    assert found[0, 0] == found[0, 1] == found[1, 0] == pytest.approx(1)
    assert np.isnan(found[0, 2])
    both = [a for a in ARCHS if a != "a07"]
    expected = stats.spearmanr(*([COMPUTED[p][a] for a in both] for p in ("swap", "params")))
    assert found[0, 3] == pytest.approx(expected[0])


def test_a_failed_training_does_not_flatten_the_others():
    accuracy = pd.Series([10.0, 10.0, *np.linspace(88, 94, 198)])
    assert 80 < pictures._floor(accuracy) < 88
    assert pictures._floor(accuracy[2:]) is None


def test_a_picture_that_cannot_be_written_says_so(outcome, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SwapError, match=r"cannot write .*ranking\.svg"):
        save(pictures.ranking("t", outcome.table), tmp_path / "file", "ranking")


def test_several_tasks_have_an_overview():
    one = _outcome()
    other = replace(one, task="cifar100", table=one.table.iloc[:1].assign(spearman=0.25))
    table = presented_overview([one, other])
    assert list(table.columns) == [
        "proxy", "nasbench201 / cifar10", "nasbench201 / cifar100", "mean", "worst", "tasks",
    ]  # fmt: skip
    first = table.iloc[0]
    assert first["tasks"] == "2"
    assert first["worst"] == "0.250"
    assert float(first["mean"]) == pytest.approx(
        (float(first["nasbench201 / cifar10"]) + 0.25) / 2, abs=1e-3
    )
    assert set(table["tasks"][1:]) == {"1"}
    text = markdown([one, other])
    assert "Mean and worst are over the tasks that a row has." in text
    assert "Mean and worst" not in markdown([one])
