"""Live scores follow the settings in force, in one process and on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from naslib_swap import spaces
from naslib_swap.plugin import live, settings
from naslib_swap.plugin.cache import ScoreCache

ARCH = "(1, 1, 2, 1, 1, 1)"
TASK = ("nasbench201", "cifar10")


@pytest.fixture(autouse=True)
def kept_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in settings.names():
        monkeypatch.delenv(settings.PREFIX + name.upper(), raising=False)
    monkeypatch.setenv("NASLIB_SWAP_SAMPLES", "2")
    monkeypatch.setattr(settings, "_configured", {})
    cache = ScoreCache(tmp_path / "scores.sqlite")
    monkeypatch.setattr(live, "_cache", lambda: cache)
    live._psi.cache_clear()
    yield cache
    live._psi.cache_clear()


def score(name: str = "swap") -> float:
    return live.score_architecture(*TASK, ARCH, name)["score"]


def test_a_changed_setting_scores_anew_in_the_same_process(monkeypatch):
    two = score()
    monkeypatch.setenv("NASLIB_SWAP_SAMPLES", "4")
    four = score()
    assert two <= 4 < four
    monkeypatch.setenv("NASLIB_SWAP_SAMPLES", "2")
    assert score() == two


def test_the_key_on_disk_names_a_device_other_than_the_cpu(monkeypatch, kept_scores):
    keys: list[dict[str, object]] = []
    put = kept_scores.put

    def spy(space, dataset, architecture, key, value):
        keys.append(dict(key))
        put(space, dataset, architecture, key, value)

    monkeypatch.setattr(kept_scores, "put", spy)
    monkeypatch.setattr(live, "_score_network", lambda *_: {"psi": 3.0, "parameters": 1})
    arch = spaces.get("nasbench201").parse(ARCH)
    for device in ("cpu", "cuda"):
        monkeypatch.setattr(live, "_device", lambda device=device: device)
        live._psi.cache_clear()
        live._psi(*TASK, arch, settings.current())
    assert set(keys[0]) == {"scoring", "samples", "repeats", "seed", "images"}
    assert keys[1] == {**keys[0], "device": "cuda"}
    assert kept_scores.count() == 2
