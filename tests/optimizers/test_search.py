from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from naslib_swap.errors import SwapError
from naslib_swap.optimizers import search
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings, each
from naslib_swap.optimizers.fitness import Scored, SizeWeighting

SETTINGS = EvolutionSettings(population=10, mutations=3, offspring=2, in_flight=3)


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / search.HISTORY).read_text().splitlines()]


def test_history_and_checkpoint_are_written(letters, counting, tmp_path):
    evolution = Evolution(letters, each(counting), SETTINGS, seed=0)
    ending = search.run(evolution, cycles=5, folder=tmp_path, identity={"space": "letters"})
    assert ending.reason == "cycles"
    assert [line["arch"] for line in lines(tmp_path)] == counting.asked
    assert search.begin(tmp_path, {"space": "letters"}, resume=True) == evolution.state
    assert sorted(p.name for p in tmp_path.iterdir()) == [search.CHECKPOINT, search.HISTORY]


def test_without_a_folder_nothing_is_written(letters, counting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    search.run(Evolution(letters, each(counting), SETTINGS), cycles=2)
    assert not list(tmp_path.iterdir())


def test_time_limit_ends_after_a_whole_step(letters, tmp_path):
    def slow(arch: object) -> Scored:
        time.sleep(0.02)
        return Scored(1.0, 1.0)

    evolution = Evolution(letters, each(slow), SETTINGS)
    ending = search.run(evolution, cycles=10_000, seconds=0.5, folder=tmp_path)
    assert ending.reason == "time"
    assert 0.5 <= ending.seconds < 5
    assert 0 < evolution.state.cycle < 100
    assert 0.02 * len(evolution.state.history) <= ending.scoring < ending.seconds


def test_used_up_space_ends_the_search(pairs, counting):
    settings = EvolutionSettings(population=3)
    ending = search.run(Evolution(pairs, each(counting), settings), cycles=1000)
    assert ending.reason == "exhausted"
    assert len(counting.asked) == 9


def test_a_second_search_does_not_overwrite_the_first(letters, counting, tmp_path):
    search.run(Evolution(letters, each(counting), SETTINGS), cycles=1, folder=tmp_path, identity={})
    with pytest.raises(SwapError, match="holds a search already"):
        search.begin(tmp_path, {}, resume=False)


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"cycles": -1}, "got cycles -1"),
        ({"cycles": 1, "seconds": 0}, "got time limit 0"),
        ({"cycles": 1, "seconds": float("nan")}, "got time limit nan"),
    ],
)
def test_impossible_budgets(letters, counting, budget, message):
    with pytest.raises(SwapError, match=message):
        search.run(Evolution(letters, each(counting), SETTINGS), **budget)


def test_an_error_while_scoring_keeps_what_was_reached(letters, counting, tmp_path):
    def breaks(arch: tuple[str, ...]) -> Scored:
        if len(counting.asked) == 25:
            raise RuntimeError("broken")
        return counting(arch)

    with pytest.raises(RuntimeError, match="broken"):
        search.run(
            Evolution(letters, each(breaks), SETTINGS), cycles=50, folder=tmp_path, identity={}
        )
    state = search.begin(tmp_path, {}, resume=True)
    assert len(state.history) >= 20
    assert [line["arch"] for line in lines(tmp_path)] == list(state.history)


def test_an_error_before_the_first_score_leaves_the_folder_free(letters, counting, tmp_path):
    def breaks(arch: object) -> Scored:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        search.run(
            Evolution(letters, each(breaks), SETTINGS), cycles=1, folder=tmp_path, identity={}
        )
    assert search.begin(tmp_path, {"other": "command"}, resume=False) is None
    search.run(Evolution(letters, each(counting), SETTINGS), cycles=1, folder=tmp_path, identity={})
    assert len(lines(tmp_path)) == len(counting.asked)


def test_failures_are_in_the_history_and_a_resume_meets_them_no_more(letters, counting, tmp_path):
    def unreliable(arch: tuple[str, ...]) -> Scored:
        measured = counting(arch)
        if arch[0] == "a":
            raise SwapError("no score")
        return measured

    def searched(folder: Path, cycles: int, *, resume: bool = False) -> None:
        state = search.begin(folder, {}, resume=resume)
        evolution = Evolution(letters, each(unreliable), SETTINGS, seed=4, state=state)
        search.run(evolution, cycles=cycles, folder=folder, identity={})

    searched(tmp_path / "parts", 7)
    searched(tmp_path / "parts", 20, resume=True)
    assert len(set(counting.asked)) == len(counting.asked)
    searched(tmp_path / "whole", 20)
    parts, whole = ((tmp_path / n / search.HISTORY).read_bytes() for n in ("parts", "whole"))
    assert parts == whole
    failed = [line for line in lines(tmp_path / "parts") if "error" in line]
    assert {line["error"] for line in failed} == {"no score"}
    assert all(line["arch"].startswith("a") for line in failed)


def test_a_wholly_failed_search_keeps_the_reasons_and_leaves_the_folder_free(letters, tmp_path):
    def fails(arch: object) -> Scored:
        raise SwapError("no score")

    with pytest.raises(SwapError, match=r"none of the first 1\d architectures .*: no score"):
        search.run(
            Evolution(letters, each(fails), SETTINGS), cycles=1, folder=tmp_path, identity={}
        )
    errors = [line["error"] for line in lines(tmp_path)]
    assert errors == ["no score"] * len(errors)
    assert len(errors) >= SETTINGS.population
    assert search.begin(tmp_path, {}, resume=False) is None


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes: what a full disk does, without one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_after_a_full_disk_the_search_goes_on(letters, counting, tmp_path):
    part, calm = tmp_path / "part", tmp_path / "calm"
    evolution = Evolution(letters, each(counting), SETTINGS, seed=4)
    search.run(evolution, cycles=3, folder=part, identity={})
    size = max(path.stat().st_size for path in part.iterdir())
    full = pytest.raises(SwapError, match=r"cannot write .*\.json.*: File too large")
    with full, files_up_to(size + 300):
        search.run(evolution, cycles=20, folder=part, identity={})
    state = search.begin(part, {}, resume=True)
    resumed = Evolution(letters, each(counting), SETTINGS, state=state)
    search.run(resumed, cycles=20, folder=part, identity={})
    search.run(
        Evolution(letters, each(counting), SETTINGS, seed=4), cycles=20, folder=calm, identity={}
    )
    assert (part / search.HISTORY).read_bytes() == (calm / search.HISTORY).read_bytes()


def test_a_history_that_cannot_grow_is_named(letters, counting, tmp_path, monkeypatch):
    monkeypatch.setattr(search.checkpoint, "save", lambda *_: None)  # it would fail as well
    evolution = Evolution(letters, each(counting), SETTINGS)
    full = pytest.raises(SwapError, match=r"cannot write .*history\.jsonl: File too large")
    with full, files_up_to(3000):
        search.run(evolution, cycles=50, folder=tmp_path, identity={})


# A search as its own process, slow enough to be killed anywhere.
_KILLABLE = """
    import importlib.util, sys, time
    from pathlib import Path
    spec = importlib.util.spec_from_file_location("toy", sys.argv[1])
    toy = importlib.util.module_from_spec(spec); spec.loader.exec_module(toy)
    from naslib_swap.optimizers import search
    from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings, each
    from naslib_swap.optimizers.fitness import Scored
    search._SECONDS_BETWEEN_CHECKPOINTS = 0.05
    counting = toy.CountingMeasure()
    def slow(arch):
        time.sleep(0.003)
        return counting(arch)
    folder = Path(sys.argv[2])
    state = search.begin(folder, {}, resume=(folder / search.CHECKPOINT).exists())
    settings = EvolutionSettings(population=10, mutations=3, offspring=2, in_flight=3)
    evolution = Evolution(toy.LetterSpace(8), each(slow), settings, seed=4, state=state)
    search.run(evolution, cycles=60, folder=folder, identity={})
"""


def test_killed_and_resumed_equals_undisturbed_byte_for_byte(letters, counting, tmp_path):
    calm = tmp_path / "calm"
    search.run(
        Evolution(letters, each(counting), SETTINGS, seed=4), cycles=60, folder=calm, identity={}
    )
    killed = tmp_path / "killed"
    toy = Path(__file__).parent / "conftest.py"
    command = [sys.executable, "-c", textwrap.dedent(_KILLABLE), str(toy), str(killed)]
    kills = 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": ""})
        target = 40 * (kills + 1)
        while process.poll() is None and kills < 3:
            trail = killed / search.HISTORY
            if trail.exists() and trail.read_bytes().count(b"\n") > target:
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.002)
        if process.wait() == 0:
            break
    assert kills == 3
    assert (killed / search.HISTORY).read_bytes() == (calm / search.HISTORY).read_bytes()
    assert search.begin(killed, {}, resume=True) == search.begin(calm, {}, resume=True)


def test_cost_of_steps_is_linear_and_checkpoints_stay_small(letters, tmp_path):
    """Ten times the evaluations take about ten times as long, checkpoints included."""

    class Long:
        name = "long"
        canonical = staticmethod(tuple)
        encode = staticmethod("".join)
        parse = staticmethod(tuple)

        def sample(self, rng):
            return tuple("abc"[i] for i in rng.integers(3, size=40))

        def mutate(self, arch, rng):
            place = int(rng.integers(40))
            return (*arch[:place], chr(ord(arch[place]) + 1), *arch[place + 1 :])

        def crossover(self, a, b, rng):
            return a[:20] + b[20:]

    def seconds(cycles: int, name: str) -> float:
        settings = EvolutionSettings(population=20, weighting=SizeWeighting("adaptive"))
        measure = each(lambda arch: Scored(2.0, arch.count("b")))
        evolution = Evolution(Long(), measure, settings)
        start = time.process_time()
        search.run(evolution, cycles=cycles, folder=tmp_path / name, identity={})
        return time.process_time() - start

    seconds(20, "warm")
    short, long = seconds(60, "short"), seconds(600, "long")
    assert long < 25 * short
