"""What a machine keeps between runs, and what of it is removed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from naslib_swap.errors import BadFile
from naslib_swap.ground_truth.catalogue import CATALOGUE
from naslib_swap.scoring import VERSION, Key, Recipe, Record, Score
from naslib_swap.scoring.cache import contents, machine_store, prune


def record(arch: str, value: float, recipe: Recipe | None = None) -> Record:
    made = recipe or Recipe(samples=16)
    return Record(Key("space", "task", arch, "swap", 0, made.id), Score(value, 0.5), made)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASLIB_SWAP_CACHE", str(tmp_path))
    return tmp_path


def test_a_file_that_is_no_database_is_said_and_stays_until_all_is_removed(cache: Path):
    path = cache / "scores.sqlite"
    path.write_bytes(b"this is no database" * 100)
    said: list[str] = []
    assert [(one.path, one.scores) for one in contents(said.append)] == [(path, 0)]
    assert prune(note=said.append) == []
    assert path.read_bytes() == b"this is no database" * 100
    assert len(said) == 2
    assert all("cannot be used" in text for text in said)
    assert [one.path for one in prune(everything=True)] == [path]
    assert list(cache.iterdir()) == []


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
