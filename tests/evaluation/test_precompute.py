from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from naslib_swap import ground_truth, spaces
from naslib_swap.cli.main import main
from naslib_swap.errors import SwapError
from naslib_swap.evaluation.precompute import lacking
from naslib_swap.evaluation.suite_zero_table import (
    merged,
    naslib_key,
    read_table,
    rows_of,
    without_accuracy,
)
from naslib_swap.scoring import Architecture, Study

OLD = {
    "cifar10": {
        "(4, 0, 3, 1, 4, 3)": {"val_accuracy": 90.0, "snip": {"score": 5.0, "time": 0.5}},
        "(1, 1, 1, 1, 1, 1)": {"val_accuracy": 91.0},
    }
}


def _scores(*rows: tuple[str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["arch", "proxy", "value"])
    return frame.assign(seconds=0.25, error=None)


def _merged(table: dict, scores: pd.DataFrame, accuracy: dict | None = None, **options) -> dict:
    return merged(
        table, scores, accuracy or {}, **{"space": "nasbench201", "task": "cifar10", **options}
    )


def test_scores_join_the_rows_that_are_there():
    before = copy.deepcopy(OLD)
    table = _merged(
        OLD,
        _scores(
            ("(4, 0, 3, 1, 4, 3)", "swap", 7.0),
            ("(2, 2, 2, 2, 2, 2)", "swap", 8.0),
            ("(1, 1, 1, 1, 1, 1)", "swap", np.nan),
        ),
        {"(2, 2, 2, 2, 2, 2)": 92.0},
    )
    assert before == OLD
    assert table["cifar10"] == {
        "(4, 0, 3, 1, 4, 3)": {
            "val_accuracy": 90.0,
            "snip": {"score": 5.0, "time": 0.5},
            "swap": {"score": 7.0, "time": 0.25},
        },
        "(1, 1, 1, 1, 1, 1)": {"val_accuracy": 91.0},  # a failure leaves nothing
        "(2, 2, 2, 2, 2, 2)": {"val_accuracy": 92.0, "swap": {"score": 8.0, "time": 0.25}},
    }
    assert json.loads(json.dumps(table)) == table


def test_what_is_there_stays_unless_it_is_made_anew():
    scores = _scores(("(4, 0, 3, 1, 4, 3)", "snip", 6.0))
    accuracy = {"(4, 0, 3, 1, 4, 3)": 50.0}
    kept = _merged(OLD, scores, accuracy)["cifar10"]["(4, 0, 3, 1, 4, 3)"]
    assert (kept["snip"]["score"], kept["val_accuracy"]) == (5.0, 90.0)
    failed = _scores(("(4, 0, 3, 1, 4, 3)", "snip", float("nan")))
    assert _merged(OLD, failed)["cifar10"]["(4, 0, 3, 1, 4, 3)"]["snip"]["score"] == 5.0
    assert "snip" not in _merged(OLD, failed, anew=True)["cifar10"]["(4, 0, 3, 1, 4, 3)"]
    anew = _merged(OLD, scores, accuracy, anew=True)["cifar10"]["(4, 0, 3, 1, 4, 3)"]
    assert (anew["snip"]["score"], anew["val_accuracy"]) == (6.0, 90.0)


def test_an_empty_table_and_missing_accuracies():
    table = _merged({}, _scores(("(4, 0, 3, 1, 4, 3)", "swap", 7.0)))
    assert table == {"cifar10": {"(4, 0, 3, 1, 4, 3)": {"swap": {"score": 7.0, "time": 0.25}}}}
    assert without_accuracy(table, "nasbench201", "cifar10") == 1
    assert without_accuracy(OLD, "nasbench201", "cifar10") == 0


def test_nasbench101_nests_deeper_and_holds_plain_numbers():
    space = spaces.get("nasbench101")
    arch = space.encode(space.sample(np.random.default_rng(0)))
    table = _merged({}, _scores((arch, "swap", 7.0)), {arch: 92.5}, space="nasbench101")
    assert table == {"nasbench101": {"cifar10": {arch: {"val_accuracy": 92.5, "swap": 7.0}}}}


def test_nasbench301_has_keys_of_lists():
    old = ("[[(0, 0), (1, 5), (1, 1), (0, 1), (1, 3), (0, 3), (1, 3), (3, 2)], "
           "[(1, 0), (0, 2), (1, 3), (0, 3), (3, 0), (0, 1), (2, 0), (3, 6)]]")  # fmt: skip
    table = {"cifar10": {old: {"val_accuracy": 93.0}}}
    (arch,) = rows_of(table, "nasbench301", "cifar10")
    assert arch != old
    assert naslib_key("nasbench301", arch) == old
    found = _merged(table, _scores((arch, "swap", 1.0)), space="nasbench301")
    assert list(found["cifar10"]) == [old]
    assert list(_merged({}, _scores((arch, "swap", 1.0)), space="nasbench301")["cifar10"]) == [old]


def test_only_what_is_lacking_is_computed():
    archs = ("(4, 0, 3, 1, 4, 3)", "(2, 2, 2, 2, 2, 2)")

    def part(count: int, *proxies: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        subjects = {a: Architecture("nasbench201", "cifar10", a) for a in archs[:count]}
        found = lacking(Study("nasbench201", "cifar10", subjects, proxies), OLD)
        return tuple(found.subjects), found.proxies

    assert part(2, "snip", "swap") == (archs, ("snip", "swap"))
    assert part(1, "snip", "swap") == (archs[:1], ("swap",))
    assert part(1, "snip") == ((), ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is no JSON table"),
        (b"[1]", "expected an object of tasks"),
        (b'{"cifar10": [1]}', "expected an object of tasks"),
        (b'{"cifar10": {"a": 1}}', "expected an object of tasks"),
        (b'{"cifar10": {"nonsense": {}}}', "nonsense"),
        (None, "cannot be read"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, content, message):
    path = tmp_path / "t.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SwapError, match=message):
        read_table(path, "nasbench201")


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        base = ["naslib-swap", "precompute", "--samples", "4", "--workers", "1"]
        monkeypatch.setattr(sys, "argv", [*base, *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return int(end.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "zc_nasbench201.json"
    path.write_text(json.dumps(OLD))
    return path


def test_the_command_adds_to_a_copy(old, tmp_path, call):
    before, out = old.read_bytes(), tmp_path / "new.json"
    status, printed, _ = call("--into", old, "--out", out, "--proxies", "params,depth")
    assert status == 0
    assert printed == f"Written to {out}\n"
    assert old.read_bytes() == before
    table = json.loads(out.read_text())["cifar10"]
    assert {key: sorted(row) for key, row in table.items()} == {
        "(4, 0, 3, 1, 4, 3)": ["depth", "params", "snip", "val_accuracy"],
        "(1, 1, 1, 1, 1, 1)": ["depth", "params", "val_accuracy"],
    }
    # What NASLib wrote, this project's own reader takes for a table of the benchmark.
    truth = ground_truth.load("suite-zero", space="nasbench201", task="cifar10", path=out)
    assert truth.proxies["params"]["(1, 1, 1, 1, 1, 1)"] > 0.05
    # Once more: nothing is left to do, and the table stays.
    after = out.read_bytes()
    _, _, errors = call("--into", out, "--out", out, "--proxies", "params,depth")
    assert "scoring architectures: 0/0" in errors
    assert out.read_bytes() == after


def test_the_original_is_written_only_where_it_is_named(old, tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = old.read_bytes()
    assert call("--into", old, "--proxies", "depth", "--quiet") == (0, "", "")
    assert old.read_bytes() == before
    assert (tmp_path / "zc_nasbench201_swap.json").exists()
    assert call("--into", old, "--out", old, "--proxies", "depth", "--quiet")[0] == 0
    assert old.read_bytes() != before


def test_listed_architectures_in_any_notation_without_accuracies(tmp_path, call):
    listed, out = tmp_path / "archs.txt", tmp_path / "new.json"
    listed.write_text(
        "(4, 0, 3, 1, 4, 3)\n\n"
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|"
        "nor_conv_3x3~2|\n"
    )
    status, _, errors = call("--archs-file", listed, "--out", out, "--proxies", "depth",
                             "--task", "cifar10, cifar100")  # fmt: skip
    assert status == 0
    assert "cifar100: 2 architectures have no val_accuracy" in errors
    table = json.loads(out.read_text())
    assert set(table) == {"cifar10", "cifar100"}
    assert len(table["cifar10"]) == 2


def test_some_of_a_file_of_architectures(tmp_path, call):
    listed, out = tmp_path / "archs.txt", tmp_path / "new.json"
    listed.write_text("(1, 1, 1, 1, 1, 1)\n(4, 0, 3, 1, 4, 3)\n(2, 2, 2, 2, 2, 2)\n")
    asked = ("--archs-file", listed, "--out", out, "--proxies", "params", "--quiet")
    assert call(*asked, "--archs", "1")[0] == 0
    assert len(json.loads(out.read_text())["cifar10"]) == 1
    listed.write_text("resnet\n")
    status, _, errors = call(*asked)
    assert (status, "archs.txt: 'resnet' is no NAS-Bench-201" in errors) == (2, True)


def test_scores_of_other_settings_are_not_added_to_a_column(old, tmp_path, call):
    listed, first, second = (tmp_path / n for n in ("archs.txt", "p1.json", "p2.json"))
    listed.write_text("(1, 1, 1, 1, 1, 1)\n(4, 0, 3, 1, 4, 3)\n(2, 2, 2, 2, 2, 2)\n")
    assert call("--into", old, "--out", first, "--proxies", "nwot", "--quiet")[0] == 0
    before = first.read_bytes()
    more = ("--into", first, "--archs-file", listed, "--proxies", "nwot,depth", "--quiet")
    status, _, errors = call(*more, "--out", first, "--samples", "5")
    assert status == 2
    assert "the table holds 1 score(s) of nwot on cifar10 that would stay" in errors
    assert "samples 4 (now 5)" in errors
    assert first.read_bytes() == before
    # The same settings go on, in another table too, which still knows them.
    assert call(*more, "--out", second)[0] == 0
    assert call("--into", second, "--out", second, "--proxies", "nwot", "--quiet",
                "--samples", "5")[0] == 2  # fmt: skip
    # Anew for a part of the column would mix as well; for all of it, it does not.
    part = tmp_path / "part.txt"
    part.write_text("(2, 2, 2, 2, 2, 2)\n")
    anew = ("--into", second, "--out", second, "--proxies", "nwot", "--anew", "--samples", "5")
    assert "holds 1 score(s) of nwot" in call(*anew, "--archs-file", part)[2]
    assert call(*anew, "--archs-file", listed)[0] == 0
    assert call(*anew[:-3], "--samples", "5", "--quiet")[0] == 0
    settings = json.loads((tmp_path / "p2.settings.json").read_text())["cifar10"]
    assert settings["nwot"]["samples"] == 5
    assert "samples" not in settings["depth"]  # it looks at no image


def test_settings_beside_a_table_that_are_none_are_refused(old, call):
    beside = old.with_name("zc_nasbench201.settings.json")
    for content in ("{", "[]", '{"cifar10": 1}'):
        beside.write_text(content)
        status, _, errors = call("--into", old, "--out", old, "--proxies", "depth", "--quiet")
        assert status == 2
        assert str(beside) in errors
        assert beside.read_text() == content


def test_another_task_is_added_to_the_table_of_the_first(tmp_path, call):
    out = tmp_path / "new.json"
    truth = ["--truth", "csv", "--truth-file", _truth(tmp_path), "--proxies", "params"]
    for task in ("cifar10", "cifar100"):
        assert call("--task", task, *truth, "--out", out)[0] == 0
    table = json.loads(out.read_text())
    assert {task: len(rows) for task, rows in table.items()} == {"cifar10": 4, "cifar100": 4}
    settings = json.loads((tmp_path / "new.settings.json").read_text())
    assert set(settings) == {"cifar10", "cifar100"}
    assert call("--task", "cifar10", *truth, "--out", out)[0] == 0
    assert json.loads(out.read_text()) == table


def test_where_every_score_failed_no_table_is_written(old, tmp_path, call, monkeypatch):
    def broken(self, arch, **options):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(type(spaces.get("nasbench201")), "build", broken)
    status, _, errors = call("--into", old, "--out", tmp_path / "new.json", "--proxies", "nwot",
                             "--quiet")  # fmt: skip
    assert status == 2
    assert "error: all 2 scores failed, the first with: RuntimeError: no such kernel" in errors
    assert not (tmp_path / "new.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--proxies", "swop"], "got the proxy 'swop'"),
        (["--samples", "1"], "got samples 1, expected at least 2"),
        (["--proxies", ""], "expected at least one name, or all"),
        (["--task", "cifar10,"], "got task '', expected some text"),
        (["--into", "nowhere.json"], "nowhere.json cannot be read"),
        (["--archs-file", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["--task", "cifar10,cifar10", "--archs", "3"], "is there twice"),
        (["--out", "."], "expected the name of a JSON file"),
    ],
)
def test_bad_input_is_one_line(tmp_path, call, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, _, errors = call(*arguments, "--truth", "csv", "--truth-file", _truth(tmp_path),
                             "--quiet")  # fmt: skip
    assert status == 2
    assert message in errors
    assert errors.count("\n") == 1
    assert not list(tmp_path.glob("zc_*"))


def _truth(folder: Path) -> Path:
    path = folder / "truth.csv"
    path.write_text(
        "arch,val_accuracy\n" + "".join(f'"({n}, 1, 1, 1, 1, 1)",{90 + n}\n' for n in range(4))
    )
    return path


@pytest.mark.data
@pytest.mark.parametrize(
    "space",
    ["nasbench101", "nasbench201", "nasbench301", "transbench101_micro", "transbench101_macro"],
)
def test_every_table_of_suite_zero_takes_scores_under_its_own_keys(data_dir, space):
    path = data_dir / "naslib" / f"zc_{space}.json"
    table = read_table(path, space)
    task = "jigsaw" if space.startswith("trans") else "cifar10"
    rows = rows_of(table, space, task)
    assert len(rows) >= 500
    archs = list(rows)[:3]
    found = merged(table, _scores(*((a, "swap", 1.0) for a in archs)), {}, space=space, task=task)
    tasks = found[space] if space == "nasbench101" else found
    assert len(tasks[task]) == len(rows)
    assert sum("swap" in row for row in tasks[task].values()) == 3
    assert all(naslib_key(space, a) in tasks[task] for a in archs)
