"""`naslib-swap cache`: the cache folder shown and pruned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from naslib_swap.cli.main import app
from naslib_swap.errors import BadArgument
from naslib_swap.scoring import Key, Recipe, Record, Score
from naslib_swap.scoring.cache import machine_store


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASLIB_SWAP_CACHE", str(tmp_path))
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["cache", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_an_empty_cache_is_said_to_be_empty():
    assert run() == "The cache is empty.\n"
    assert run("--prune") == "Nothing to remove.\n"
    assert json.loads(run("--json")) == []


def test_the_cache_is_shown_and_pruned(cache: Path):
    recipe = Recipe()
    key = Key("space", "task", "a", "swap", 0, recipe.id)
    machine_store().append([Record(key, Score(1.0), recipe)])
    (cache / "naslib_scores.sqlite").write_bytes(b"old")
    (scores, old) = json.loads(run("--json"))
    assert scores == {
        "what": "scores",
        "path": str(cache / "scores.sqlite"),
        "size": (cache / "scores.sqlite").stat().st_size,
        "scores": 1,
    }
    assert (old["what"], old["size"], old["scores"]) == ("scores of an earlier version", 3, None)
    shown = run()
    assert "naslib_scores.sqlite" in shown
    assert "3 bytes" in shown
    assert "Removed" in run("--prune")
    assert [one["what"] for one in json.loads(run("--prune", "--all", "--json"))] == ["scores"]
    assert list(cache.iterdir()) == []


def test_what_was_verified_goes_with_the_downloads(cache: Path):
    (cache / "verified.json").write_text("{}")
    (digests,) = json.loads(run("--json"))
    assert digests["what"] == "digests of downloads"
    run("--prune", "--all")
    assert list(cache.iterdir()) == []


def test_all_needs_prune():
    with pytest.raises(BadArgument, match="got --all alone, expected it with --prune"):
        run("--all")
