"""The store of a machine: safe with several processes, and what of it is kept and removed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from naslib_swap.errors import BadFile
from naslib_swap.ground_truth.catalogue import CATALOGUE
from naslib_swap.scoring import VERSION, Key, Recipe, Record, Score
from naslib_swap.scoring.cache import contents, machine_store, prune
from naslib_swap.scoring.store import DatabaseStore


def record(arch: str, value: float, recipe: Recipe | None = None) -> Record:
    made = recipe or Recipe(samples=16)
    return Record(Key("space", "task", arch, "swap", 0, made.id), Score(value, 0.5), made)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASLIB_SWAP_CACHE", str(tmp_path))
    return tmp_path


def test_a_score_is_found_under_its_whole_key_only(tmp_path: Path):
    store = DatabaseStore(tmp_path / "below" / "scores.sqlite")
    kept = record("a", 3.0)
    store.append([kept])
    again = DatabaseStore(store.path)
    assert again.get(kept.key) == kept.score
    assert list(again.records()) == [kept]
    for name, other in zip(Key._fields, ("x", "x", "x", "x", 1, "x")):
        assert again.get(kept.key._replace(**{name: other})) is None


WRITER = """
import sys
from pathlib import Path
from naslib_swap.scoring import Key, Recipe, Record, Score
from naslib_swap.scoring.store import DatabaseStore
store, recipe = DatabaseStore(Path(sys.argv[1])), Recipe()
for number in range(25):
    for arch in (str(number), f"{sys.argv[2]}-{number}"):
        key = Key("space", "task", arch, "swap", 0, recipe.id)
        store.append([Record(key, Score(float(number)), recipe)])
"""


def test_several_processes_write_one_file(tmp_path: Path):
    path = tmp_path / "scores.sqlite"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n)]) for n in range(3)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    store = DatabaseStore(path)
    assert store.count() == 25 + 3 * 25
    values = {r.key.arch: r.score.value for r in store.records()}
    assert all(values[str(n)] == values[f"2-{n}"] == n for n in range(25))


def test_a_file_that_is_no_database_is_said_once_and_stays(tmp_path: Path):
    path = tmp_path / "scores.sqlite"
    path.write_bytes(b"this is no database" * 100)
    said: list[str] = []
    store = DatabaseStore(path, said.append)
    store.append([record("a", 1.0)])
    assert store.get(record("a", 1.0).key) is None
    assert store.keep(lambda record: False) == 0
    assert len(said) == 1
    assert "cannot be used" in said[0]
    assert path.read_bytes().startswith(b"this is no database")


def test_what_this_version_does_not_use_is_pruned(cache: Path):
    old = Recipe(samples=16, version=VERSION - 1)
    store = machine_store()
    store.append([record("a", 1.0), record("a", 2.0, old)])
    store.append(record(str(n), float(n), replace(old, digest="d" * 500)) for n in range(200))
    store._run("INSERT INTO scores VALUES ('s', 't', 'torn', 'swap', 0, 'r', 'no line')")
    (cache / "naslib_scores.sqlite").write_bytes(b"old")
    (cache / "mine.txt").write_text("not ours")
    held = {(one.what, one.path.name, one.scores) for one in contents()}
    assert held == {
        ("scores", "scores.sqlite", 203),
        ("scores of an earlier version", "naslib_scores.sqlite", None),
    }

    removed = {one.what: one for one in prune()}
    assert removed["scores of an earlier version"].size == 3
    assert removed["scores of other versions"].scores == 202
    assert removed["scores of other versions"].size > 200 * 500
    assert list(store.records()) == [record("a", 1.0)]
    assert prune() == []
    assert sorted(path.name for path in cache.iterdir()) == ["mine.txt", "scores.sqlite"]


def test_everything_of_ours_is_removed_and_nothing_else(cache: Path):
    download = cache / CATALOGUE["cifar10"].path
    download.parent.mkdir(parents=True)
    download.write_bytes(b"images")
    beside = download.with_name("mine.npz")
    beside.write_bytes(b"mine")
    machine_store().append([record("a", 1.0)])
    assert prune() == []
    removed = prune(everything=True)
    assert [one.what for one in removed] == ["scores", "download cifar10"]
    assert (removed[0].scores, removed[1].size) == (1, 6)
    assert [path for path in cache.rglob("*") if path.is_file()] == [beside]
    assert contents() == []


def test_a_file_that_cannot_be_removed_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch):
    (cache / "naslib_scores.sqlite").touch()

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(BadFile, match=r"cannot remove .*naslib_scores.sqlite: Permission denied"):
        prune()
