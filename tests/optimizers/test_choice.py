"""The final choice and true accuracies, by hand and on NAS-Bench-201."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from naslib_swap import ground_truth, spaces
from naslib_swap.errors import BadArgument, BadFile, Unscorable
from naslib_swap.ground_truth import GroundTruth, catalogue
from naslib_swap.optimizers import accuracies, final, native
from naslib_swap.optimizers.accuracies import Table, asked, table, table_at_hand
from naslib_swap.optimizers.final import chosen
from naslib_swap.optimizers.native import search
from naslib_swap.optimizers.plan import SearchPlan

pytestmark = pytest.mark.usefixtures("no_drawings")
SPACE = spaces.get("nasbench201")
PLAN = SearchPlan(
    "nasbench201", proxy="params", population=4, mutations=2, offspring=1, cycles=2, seed=1
)


def test_the_final_choice_by_hand():
    nan = np.nan
    scores = {
        # Ranks 1, 2, 3 in the first draw and 3, 1, 2 in the second: means 2, 1.5, 2.5.
        "params": np.array([[1.0, 9.0], [2.0, 7.0], [3.0, 8.0]]),
        # Ranks 2.5, 2.5, and 1 for the one without a score.
        "depth": np.array([[4.0], [4.0], [nan]]),
    }
    found = chosen(["a", "b", "c"], scores)
    assert [one.arch for one in found] == ["a", "b", "c"]
    assert [one.standing for one in found] == pytest.approx([4.5 / 6, 4 / 6, 3.5 / 6])
    assert found[0].values == {"params": 5.0, "depth": 4.0}
    assert found[2].values == {"params": 5.5, "depth": None}


def test_little_of_a_member_against_is_better():
    scores = {"snip": np.array([[1.0], [2.0]])}
    assert chosen(["a", "b"], scores)[0].arch == "b"
    assert chosen(["a", "b"], scores, against=("snip",))[0].arch == "a"


def test_of_equal_finalists_the_one_that_the_search_had_first():
    scores = {"params": np.array([[1.0], [1.0], [0.5]])}
    assert [one.arch for one in chosen(["b", "a", "c"], scores)] == ["b", "a", "c"]


def test_a_proxy_without_any_score_is_named():
    with pytest.raises(Unscorable, match="none of the 2 finalists has a score by depth"):
        chosen(["a", "b"], {"depth": np.full((2, 1), np.nan)})


def test_finalists_are_scored_again_once(tmp_path, monkeypatch):
    plan = replace(PLAN, finalists=3, final=("depth", "flops"), final_draws=2, truth_file="none")
    plan = replace(plan, truth_file=None)
    result = search(plan, out=tmp_path)
    assert len(result.finalists) == 3
    assert {one.arch for one in result.finalists} == {one.arch for one in result.top[:3]}
    assert result.by == "final choice"
    assert result.best.arch == result.finalists[0].arch
    for one in result.finalists:
        arch = SPACE.parse(one.arch)
        assert one.values["depth"] == SPACE.depth(arch)
        assert one.values["flops"] == pytest.approx(
            plan.complete().network().multiply_accumulates(arch) / 1e6
        )
    kept = (tmp_path / final.SCORES).read_bytes()
    again = search(plan, out=tmp_path, resume=True)
    assert again.finalists == result.finalists
    assert (tmp_path / final.SCORES).read_bytes() == kept
    written = json.loads((tmp_path / "result.json").read_text())
    assert written["chosen_by"] == "final choice"
    assert written["true_accuracies_used"] == 0
    assert written["found"] == result.best.arch == written["finalists"][0]["arch"]


def test_more_images_in_the_final_choice():
    plan = replace(PLAN, final_samples=4, final=("swap",)).complete()
    assert plan.finally_under().inputs.samples == 4
    assert plan.conditions(("swap",)).inputs.samples == 16
    assert replace(PLAN, final=("az_nas",)).finally_by() == (
        "expressivity",
        "progressivity",
        "trainability",
        "flops",
    )


def test_true_accuracies_choose(tmp_path):
    asked_for = []

    def by_depth(arch):
        asked_for.append(arch)
        return SPACE.depth(SPACE.parse(arch))

    result = search(replace(PLAN, verify=4), out=tmp_path, accuracy=by_depth)
    assert asked_for == [one.arch for one in result.top[:4]]
    assert list(result.verified) == asked_for
    assert result.by == "true accuracies"
    assert result.verified[result.best.arch] == max(result.verified.values())
    written = json.loads((tmp_path / "result.json").read_text())
    assert (written["true_accuracies_used"], written["chosen_by"]) == (4, "true accuracies")
    more = search(replace(PLAN, verify=6), out=tmp_path, resume=True, accuracy=by_depth)
    assert asked_for == [one.arch for one in more.top[:6]]


def test_accuracies_that_were_asked_for_survive_a_failure(tmp_path):
    def fails(arch):
        if len(told) == 2:
            raise BadArgument("the training crashed")
        told.append(arch)
        return 1.0

    told: list[str] = []
    with pytest.raises(BadArgument, match="the training crashed"):
        search(replace(PLAN, verify=4), out=tmp_path, accuracy=fails)
    told.clear()
    result = search(replace(PLAN, verify=4), out=tmp_path, resume=True, accuracy=lambda arch: 2.0)
    assert list(result.verified.values()) == [1.0, 1.0, 2.0, 2.0]
    (tmp_path / native.ACCURACIES).write_text("nonsense\n")
    with pytest.raises(BadFile, match=r"accuracies\.jsonl cannot be read"):
        search(replace(PLAN, verify=4), out=tmp_path, resume=True, accuracy=lambda arch: 2.0)


@pytest.mark.parametrize("wrong", [None, "good", float("nan"), float("inf")])
def test_what_is_no_accuracy_is_refused(wrong):
    with pytest.raises(BadArgument, match=re.escape(f"got {wrong!r} as the accuracy of a, expec")):
        asked(["a"], lambda arch: wrong, None)


def test_verifying_needs_something_to_ask(tmp_path, monkeypatch):
    monkeypatch.setattr(native, "table_at_hand", lambda space, task: None)
    with pytest.raises(BadArgument, match="got --verify 3 and no true accuracies of nasbench201"):
        search(replace(PLAN, verify=3), out=tmp_path / "out")
    with pytest.raises(BadArgument, match="got --accuracy without --verify"):
        search(PLAN, out=tmp_path / "out", accuracy=lambda arch: 1.0)
    assert not (tmp_path / "out").exists()


# Nodes 1 and 2 change places: one network, two notations.
ONE, SAME = "(2, 0, 4, 1, 0, 3)", "(0, 2, 4, 1, 3, 0)"
OTHERS = ("(0, 0, 0, 0, 0, 0)", "(2, 2, 2, 2, 2, 2)", "(3, 3, 3, 3, 3, 3)")


def test_ranks_in_a_table():
    found = Table("nasbench201", "mine", dict(zip((ONE, *OTHERS), (70.0, 60.0, 90.0, 70.0))))
    assert found.standing(ONE) == {
        "source": "mine",
        "accuracy": 70.0,
        "rank": 2,
        "of": 4,
        "regret": 20.0,
    }
    assert found.standing("(1, 1, 1, 1, 1, 1)") is None


def test_an_equal_network_is_known_by_its_canonical_form():
    canonical = SPACE.encode(SPACE.canonical(SPACE.parse(ONE)))
    other = SAME if canonical == ONE else ONE
    assert Table("nasbench201", "mine", {canonical: 5.0}).of(other) == 5.0
    assert Table("nasbench201", "mine", {canonical: 5.0, other: 6.0}).of(other) == 6.0


def test_a_table_that_knows_some_is_asked_for_these(tmp_path):
    first = search(PLAN)
    known = [one.arch for one in first.top][2:5]
    path = tmp_path / "truth.csv"
    path.write_text("arch,val_accuracy\n" + "".join(f'"{a}",{i}\n' for i, a in enumerate(known)))
    result = search(replace(PLAN, verify=8, truth_file=str(path)), out=tmp_path / "out")
    assert list(result.verified) == known
    assert result.best.arch == known[-1]
    assert result.standing["rank"] == 1
    written = json.loads((tmp_path / "out" / "result.json").read_text())
    assert written["truth"] == {
        "source": "csv",
        "accuracy": 2.0,
        "rank": 1,
        "of": 3,
        "regret": 0.0,
    }
    missed = search(replace(PLAN, truth_file=str(path)), out=tmp_path / "missed")
    assert missed.standing is None
    written = json.loads((tmp_path / "missed" / "result.json").read_text())
    assert written["truth"] == {"source": "csv", "of": 3, "accuracy": None}


@pytest.mark.parametrize(("rows", "wanted"), [(5**6, ["analog"]), (9, ["analog", "nasbench201"])])
def test_after_a_table_of_all_none_is_read(rows, wanted, monkeypatch, tmp_path):
    def load(name, space, task, path):
        read.append(name)
        return GroundTruth(space, task, name, dict.fromkeys(map(str, range(rows)), 1.0))

    read: list[str] = []
    monkeypatch.delenv(catalogue.DATA_VARIABLE, raising=False)
    monkeypatch.setenv(catalogue.CACHE_VARIABLE, str(tmp_path))
    for name in ("analog", "nasbench201"):
        mine = replace(ground_truth.SOURCES.get(name), load=partial(load, name))
        monkeypatch.setitem(ground_truth.SOURCES._found, name, mine)
    assert table_at_hand("nasbench201", "cifar10").source == "analog"
    assert read == wanted


def test_nothing_is_downloaded_for_a_rank(monkeypatch, tmp_path):
    monkeypatch.delenv(catalogue.DATA_VARIABLE, raising=False)
    monkeypatch.setenv(catalogue.CACHE_VARIABLE, str(tmp_path))
    assert table_at_hand("nasbench101", "cifar10") is None
    with catalogue.without_downloads(), pytest.raises(BadFile, match="is not here; `naslib-swap"):
        catalogue.locate("zc-nasbench101")
    assert list(tmp_path.iterdir()) == []


def test_a_space_without_accuracies_needs_a_file():
    with pytest.raises(BadArgument, match="no accuracies of darts, imagenet are known"):
        table("darts", "imagenet", None, None)
    assert accuracies.table_at_hand("darts", "imagenet") is None
