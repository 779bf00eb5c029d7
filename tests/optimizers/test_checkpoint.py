from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from naslib_swap.errors import SwapError
from naslib_swap.optimizers import checkpoint
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings, each
from naslib_swap.optimizers.fitness import Scored, SizeWeighting

SETTINGS = EvolutionSettings(
    population=5, mutations=2, offspring=2, weighting=SizeWeighting("adaptive"), in_flight=3
)
IDENTITY = {"space": "letters", "version": "1.0", "settings": {"population": 5, "mu": None}}


@pytest.fixture
def half_way(letters, counting) -> Evolution:
    evolution = Evolution(letters, each(counting), SETTINGS, seed=3)
    for _ in range(6):
        evolution.step()
    return evolution


def test_reads_back_the_same_state(half_way, tmp_path):
    path = tmp_path / "checkpoint.json"
    checkpoint.save(path, half_way.state, IDENTITY)
    assert checkpoint.load(path, IDENTITY) == half_way.state
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.json"]


def test_resumed_search_equals_the_undisturbed_one(half_way, letters, counting, tmp_path):
    path = tmp_path / "checkpoint.json"
    checkpoint.save(path, half_way.state, IDENTITY)
    resumed = Evolution(
        letters, each(counting), SETTINGS, seed=99, state=checkpoint.load(path, IDENTITY)
    )
    for _ in range(12):
        assert half_way.step() == resumed.step()
    assert half_way.state == resumed.state


def test_failures_survive(letters, counting, tmp_path):
    def unreliable(arch: tuple[str, ...]) -> Scored:
        if arch[0] == "a":
            raise SwapError("no score")
        return counting(arch)

    whole = Evolution(letters, each(unreliable), SETTINGS, seed=3)
    for _ in range(6):
        whole.step()
    assert whole.state.failures
    path = tmp_path / "checkpoint.json"
    checkpoint.save(path, whole.state, IDENTITY)
    state = checkpoint.load(path, IDENTITY)
    assert state == whole.state
    resumed = Evolution(letters, each(unreliable), SETTINGS, state=state)
    for _ in range(12):
        assert whole.step() == resumed.step()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("space", "darts", "space: 'letters' there, 'darts' here"),
        ("version", "2.0", "version: '1.0' there, '2.0' here"),
        ("settings", {"population": 7}, r"settings\.population: 5 there, 7 here"),
    ],
)
def test_another_search_is_refused(half_way, tmp_path, key, value, message):
    path = tmp_path / "checkpoint.json"
    checkpoint.save(path, half_way.state, IDENTITY)
    before = path.read_bytes()
    with pytest.raises(SwapError, match=message):
        checkpoint.load(path, {**IDENTITY, key: value})
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:-40],
        lambda whole: whole.replace(b'"cycle":5', b'"cycle":6', 1),
        lambda whole: b"\x80\x04\x95" + whole,
        lambda whole: b"{}\n{}\n",
    ],
)
def test_damage_is_named_and_the_file_left_alone(half_way, tmp_path, damage):
    path = tmp_path / "checkpoint.json"
    checkpoint.save(path, half_way.state, IDENTITY)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(SwapError, match="is damaged"):
        checkpoint.load(path, IDENTITY)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "3",
        '"text"',
        "no JSON",
        '{"format": 2}',
        '{"format": 2, "identity": 3, "state": {}}',
        '{"format": 2, "identity": {}, "state": []}',
        '{"format": 2, "identity": {}, "state": {"history": [{"arch": "a"}]}}',
        "[" * 100_000 + "]" * 100_000,
    ],
)
def test_a_checksum_that_fits_other_content_is_damage_too(tmp_path, body):
    path = tmp_path / "checkpoint.json"
    path.write_text(f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}\n")
    with pytest.raises(SwapError, match="is damaged"):
        checkpoint.load(path, {})


def test_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(SwapError, match="there is no checkpoint at"):
        checkpoint.load(tmp_path / "checkpoint.json", IDENTITY)


def test_other_format_is_named(half_way, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.json"
    monkeypatch.setattr(checkpoint, "FORMAT", 1)
    checkpoint.save(path, half_way.state, IDENTITY)
    monkeypatch.undo()
    before = path.read_bytes()
    with pytest.raises(SwapError, match="has format 1, expected 2: another version"):
        checkpoint.load(path, IDENTITY)
    assert path.read_bytes() == before


def test_interrupted_writing_keeps_the_old_file(half_way, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.json"
    checkpoint.save(path, half_way.state, IDENTITY)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    half_way.step()
    with pytest.raises(SwapError, match="No space left on device"):
        checkpoint.save(path, half_way.state, IDENTITY)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.json"]


def test_unwritable_folder_is_named(half_way, tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(SwapError, match="cannot write"):
        checkpoint.save(blocked / "checkpoint.json", half_way.state, IDENTITY)
