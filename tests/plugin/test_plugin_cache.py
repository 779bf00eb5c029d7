"""Scores on disk: keyed by everything they depend on, safe with several processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from naslib_swap.plugin.cache import ScoreCache, settings_key

SETTINGS = {"samples": 16, "seed": 0}


def test_a_score_is_found_under_its_whole_key_only(tmp_path: Path):
    cache = ScoreCache(tmp_path / "below" / "scores.sqlite")
    cache.put("nasbench201", "cifar10", "(0,)", SETTINGS, {"psi": 3.0})
    assert ScoreCache(cache.path).get("nasbench201", "cifar10", "(0,)", SETTINGS) == {"psi": 3.0}
    for key in (
        ("nasbench101", "cifar10", "(0,)", SETTINGS),
        ("nasbench201", "cifar100", "(0,)", SETTINGS),
        ("nasbench201", "cifar10", "(1,)", SETTINGS),
        ("nasbench201", "cifar10", "(0,)", {**SETTINGS, "seed": 1}),
    ):
        assert cache.get(*key) is None


def test_settings_in_any_order_are_one_key():
    assert settings_key(SETTINGS) == settings_key(dict(reversed(SETTINGS.items())))


WRITER = """
import sys
from pathlib import Path
from naslib_swap.plugin.cache import ScoreCache
cache = ScoreCache(Path(sys.argv[1]))
settings = {"samples": 16, "seed": 0}
for number in range(25):
    cache.put("space", "data", str(number), settings, {"psi": number})
    cache.put("space", "data", f"{sys.argv[2]}-{number}", settings, {"psi": number})
"""


def test_several_processes_write_one_file(tmp_path: Path):
    path = tmp_path / "scores.sqlite"
    workers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n)]) for n in range(3)
    ]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    cache = ScoreCache(path)
    assert cache.count() == 25 + 3 * 25
    assert all(cache.get("space", "data", str(n), SETTINGS) == {"psi": n} for n in range(25))


def test_a_damaged_file_is_said_once_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "scores.sqlite"
    path.write_bytes(b"this is no database" * 100)
    cache = ScoreCache(path)
    cache.put("space", "data", "(0,)", SETTINGS, {"psi": 1.0})
    assert cache.get("space", "data", "(0,)", SETTINGS) is None
    assert len([r for r in caplog.records if "cannot be used" in r.message]) == 1
    assert path.read_bytes().startswith(b"this is no database")
