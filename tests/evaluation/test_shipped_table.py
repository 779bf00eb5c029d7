"""Suite-Zero's tables with the columns that come with the package."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.evaluation.column_recipes import read_columns
from naslib_swap.evaluation.shipped_table import write_columns
from naslib_swap.scoring import Architecture, Recipe, conditions_for, shipped

ARCH = "(0, 2, 3, 2, 3, 1)"
MU, SIGMA = 1316.5, 1733188.0


@pytest.fixture(autouse=True)
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One made-up score of one network."""
    subject = Architecture("nasbench201", "cifar10", ARCH)
    made = conditions_for("nasbench201", "cifar10", repeats=0, batch_repeats=1)
    column = shipped.Column(
        {"cifar10": "full"},
        0,
        Recipe.of(subject, "swap", made, 0),
        np.array([[100, 1000, 7]], np.uint32),
    )
    table = shipped.Table(
        "nasbench201",
        {ARCH: 0},
        {ARCH: 0},
        {"cifar10": np.array([1316500])},
        {"cifar10": (MU, SIGMA)},
        (column,),
    )
    folder = tmp_path / "tables"
    shipped.write(folder / "nasbench201.npz", table)
    monkeypatch.setattr(shipped, "_folder", lambda: folder)
    shipped.load.cache_clear()
    yield tmp_path
    shipped.load.cache_clear()


def written(path: Path, rows: dict, **options: object):
    (path / "zc.json").write_text(json.dumps(rows))
    made = write_columns("nasbench201", path / "zc.json", path / "out.json", **options)
    return made, json.loads(made.path.read_text())


@pytest.mark.parametrize("key", [ARCH, "[0, 2, 3, 2, 3, 1]", "(np.int64(0), 2, 3, 2, 3, 1)"])
def test_columns_are_added_by_any_key_and_others_stay(held: Path, key: str):
    rows = {key: {"val_accuracy": 90.0, "nwot": {"score": 1.0}}, "(1, 1, 1, 1, 1, 1)": {}}
    made, table = written(held, {"cifar10": rows, "other": {}})
    assert (made.filled, made.rows) == ({"cifar10": 1}, {"cifar10": 2})
    assert table["cifar10"][key] == {
        **rows[key],
        "swap": {"score": 100.0, "time": 0.0},
        "reg_swap": {"score": pytest.approx(np.log(100), abs=1e-12), "time": 0.0},
    }
    assert table["cifar10"]["(1, 1, 1, 1, 1, 1)"] == {}
    assert table["other"] == {}
    assert json.loads((held / "zc.json").read_text())["cifar10"] == rows


def test_a_table_that_nests_deeper_holds_plain_numbers(held: Path):
    _, table = written(held, {"nasbench201": {"cifar10": {ARCH: {}}}})
    assert table["nasbench201"]["cifar10"][ARCH]["swap"] == 100.0


def test_what_made_the_columns_is_kept_beside_as_precompute_keeps_it(held: Path):
    made, _ = written(held, {"cifar10": {ARCH: {}}})
    subject = Architecture("nasbench201", "cifar10", ARCH)
    settings = {"repeats": 0, "batch_repeats": 1, "mu": MU, "sigma": SIGMA}
    conditions = conditions_for("nasbench201", "cifar10", names=["reg_swap"], **settings)
    assert read_columns(made.path)["cifar10"] == {
        name: Recipe.of(subject, name, conditions, 0) for name in ("swap", "reg_swap")
    }


def test_columns_that_are_there_are_replaced_only_anew(held: Path):
    rows = {"cifar10": {ARCH: {"swap": {"score": 3.0}}}}
    with pytest.raises(BadArgument, match="has swap for cifar10 already"):
        written(held, rows)
    _, table = written(held, rows, anew=True)
    assert table["cifar10"][ARCH]["swap"]["score"] == 100.0


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ([1], BadFile, "expected an object of tasks"),
        ({"cifar10": {"(9,)": {}}}, BadArgument, "a score of none of the architectures"),
        ({"jigsaw": {ARCH: {}}}, BadArgument, "no scores on natural images of jigsaw"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(held: Path, content, error, message: str):
    with pytest.raises(error, match=message):
        written(held, content)
    assert not (held / "out.json").exists()


def test_other_spaces_and_images_are_refused(held: Path):
    with pytest.raises(BadArgument, match="no scores of nasbench101 come with the package"):
        write_columns("nasbench101", held / "zc.json", held / "out.json")
    with pytest.raises(BadArgument, match="no scores on cifar10 images"):
        written(held, {"cifar10": {ARCH: {}}}, images="cifar10")


def test_the_other_version_is_not_read(held: Path):
    old = shipped.load("nasbench201")
    column = replace(old.columns[0], recipe=replace(old.columns[0].recipe, version=1))
    shipped.write(held / "tables" / "nasbench201.npz", replace(old, columns=(column,)))
    shipped.load.cache_clear()
    with pytest.raises(BadArgument, match="no scores of nasbench201 come with the package"):
        written(held, {"cifar10": {ARCH: {}}})


def test_the_commands_import_no_torch(held: Path):
    code = (
        "import sys; from naslib_swap.cli.main import app\n"
        "try: app(['scores', 'list'])\n"
        "except SystemExit: pass\n"
        "import naslib_swap.evaluation.shipped_table\n"
        "print({'torch', 'pandas', 'scipy', 'sklearn'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "set()\n"
