"""The same scores from a Dask cluster, one of whose workers is killed midway."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from naslib_swap import __version__
from naslib_swap.errors import LostWorker, SwapError
from naslib_swap.scoring import Execution, Study, run
from naslib_swap.scoring.backends import crew
from naslib_swap.scoring.dispatch import Dispatch
from naslib_swap.scoring.single import failed, score_job
from naslib_swap.scoring.store import LineStore
from naslib_swap.scoring.study import missing

distributed = pytest.importorskip("distributed", reason="needs the cluster extra")


def _score(study: Study, path: Path, progress=lambda done, total: None, **execution) -> dict:
    with LineStore(path) as store:
        run([study], store, Execution(**{"workers": 1, **execution}), progress=progress)
        return {record.key: record.score.value for record in store.records()}


@pytest.mark.slow
def test_a_cluster_with_a_worker_killed_midway_gives_the_same_bits(study, tmp_path):
    many = replace(study, seeds=tuple(range(15)))
    jobs = len(many.subjects) * len(many.seeds)
    reference = _score(many, tmp_path / "here.jsonl")
    killed: list[int] = []
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())

        def kill_one(done: int, total: int) -> None:
            assert total == jobs
            if done == total // 4:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        found = _score(
            many,
            tmp_path / "dask.jsonl",
            backend="dask",
            address=cluster.scheduler_address,
            progress=kill_one,
        )
        client.wait_for_workers(2)
        assert pids[0] not in client.run(os.getpid).values()
    assert killed
    assert found == reference
    assert None not in found.values()


@pytest.mark.slow
def test_without_an_address_a_cluster_is_started(study, tmp_path, part):
    few = replace(part(study, 4), seeds=(0,))
    reference = _score(few, tmp_path / "here.jsonl")
    assert _score(few, tmp_path / "dask.jsonl", backend="dask", workers=2) == reference


@pytest.mark.slow
def test_a_cluster_of_one_thread_is_used_all_the_same(study):
    def where(job):  # nested, so that it travels to the workers by value
        return failed(job, str(os.getpid()))

    jobs = missing(replace(study, seeds=(0,)))
    with crew("dask", 1) as hands:
        done = list(Dispatch(hands, jobs, where))
    assert len(done) == len(jobs)
    assert str(os.getpid()) not in {records[0].score.error for records in done}


@pytest.mark.slow
def test_an_architecture_that_kills_every_worker_fails_alone(reason_of_a_killer):
    assert reason_of_a_killer("dask").startswith("KilledWorker: the worker died")


@contextmanager
def _started(
    folder: Path, script: str, *arguments: str, first_on_path: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler or worker that nobody starts again once it is dead."""
    path = [str(first_on_path or ""), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{script}", *arguments, "--no-dashboard"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,  # in that of the sources, -m would import these
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def lost(study, tmp_path, monkeypatch) -> Callable[[str], tuple[int, str]]:
    """Kill all workers, or the scheduler, midway; go on here; give the jobs done and the error."""
    monkeypatch.setattr("naslib_swap.scoring.backends._ABSENT_SECONDS", 1.5)
    many = replace(study, seeds=tuple(range(15)))
    reference = _score(many, tmp_path / "here.jsonl")
    file = tmp_path / "scheduler.json"

    def killed(what: str) -> tuple[int, str]:
        store, done = tmp_path / "dask.jsonl", 0

        def kill(count: int, total: int) -> None:
            nonlocal done
            done = count
            if count == total // 4:
                processes[what].kill()

        where = ("--scheduler-file", str(file))
        with (
            _started(tmp_path, "dask_scheduler", "--port", "0", *where) as scheduler,
            _started(tmp_path, "dask_worker", "--no-nanny", "--nthreads", "2", *where) as worker,
        ):
            processes = {"scheduler": scheduler, "worker": worker}
            with distributed.Client(scheduler_file=str(file), timeout=60) as client:
                address = client.scheduler.address
            with pytest.raises(LostWorker) as raised:
                _score(many, store, kill, backend="dask", address=address)
        with LineStore(store) as kept:
            assert {r.key: r.score.value for r in kept.records()}.items() < reference.items()
        assert _score(many, store) == reference
        return done, str(raised.value)

    return killed


@pytest.mark.slow
def test_where_all_workers_are_dead_the_run_ends_and_goes_on_here(lost):
    done, error = lost("worker")
    assert 30 <= done < 120
    assert error.startswith(
        "the Dask cluster has had no worker for 1.5 seconds. What was scored is kept: start workers"
    )


@pytest.mark.slow
def test_where_the_scheduler_is_dead_the_run_ends_and_goes_on_here(lost, capfd):
    done, error = lost("scheduler")
    assert 30 <= done < 120
    assert error.startswith(
        "the connection to the Dask scheduler was lost. What was scored is kept"
    )
    assert capfd.readouterr().err == ""


_MISSING = "raise ModuleNotFoundError(\"No module named '{}'\")"
OTHER_INSTALLATIONS = {
    "older": (
        {"__init__.py": "__version__ = '0.1.0'"},
        r"has naslib-swap 0\.1\.0, expected [\d.]+ as here",
    ),
    "missing": (
        {"__init__.py": _MISSING.format("naslib_swap")},
        r"cannot run a task: ModuleNotFoundError: No module named 'naslib_swap'\. Every worker "
        r"needs naslib-swap [\d.]+ and",
    ),
    "without torch": (
        {
            "__init__.py": f"__version__ = {__version__!r}",
            "scoring/__init__.py": _MISSING.format("torch"),
        },
        r"cannot run a task: ModuleNotFoundError: No module named 'torch'",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHER_INSTALLATIONS)
def test_a_worker_with_another_installation_is_an_error(name, study, tmp_path):
    files, message = OTHER_INSTALLATIONS[name]
    package = tmp_path / "first" / "naslib_swap"
    (package / "scoring").mkdir(parents=True)
    for file, code in files.items():
        (package / file).write_text(code + "\n")
    file = tmp_path / "scheduler.json"
    where = ("--scheduler-file", str(file))
    other = {"first_on_path": package.parent}
    with (
        _started(tmp_path, "dask_scheduler", "--port", "0", *where, **other),
        _started(tmp_path, "dask_worker", "--no-nanny", *where, **other),
    ):
        with distributed.Client(scheduler_file=str(file), timeout=60) as client:
            address = client.scheduler.address
        with pytest.raises(LostWorker, match=message):
            _score(study, tmp_path / "s.jsonl", backend="dask", address=address)


def test_a_worker_with_another_version_that_came_later_scores_nothing(study):
    job = missing(study)[0]._replace(version="0.1.0")
    with pytest.raises(LostWorker, match=r"a worker has naslib-swap [\d.]+, expected 0\.1\.0"):
        score_job(job)


@pytest.mark.slow
def test_workers_that_are_dead_before_a_task_are_missed_too(monkeypatch):
    monkeypatch.setattr("naslib_swap.scoring.backends._ABSENT_SECONDS", 0.5)
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        crew("dask", 1, cluster.scheduler_address) as hands,
    ):
        cluster.scale(0)
        with pytest.raises(LostWorker, match=r"has had no worker for 0\.5 seconds"):
            Dispatch(hands, ["anything"], repr).take()


def test_a_scheduler_that_does_not_answer_is_an_error(study, tmp_path, monkeypatch):
    monkeypatch.setattr("naslib_swap.scoring.backends._CONNECT_SECONDS", 0.5)
    with pytest.raises(SwapError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        _score(study, tmp_path / "s.jsonl", backend="dask", address="tcp://127.0.0.1:1")


def test_a_cluster_without_workers_is_an_error(study, tmp_path, monkeypatch):
    monkeypatch.setattr("naslib_swap.scoring.backends._WORKER_SECONDS", 0.5)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        with pytest.raises(SwapError, match="has no workers; start some with `dask worker"):
            _score(study, tmp_path / "s.jsonl", backend="dask", address=address)


def test_a_missing_package_says_how_to_install_it(study, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(SwapError, match=r"pip install 'naslib-swap\[cluster\]'"):
        _score(study, tmp_path / "s.jsonl", backend="dask")
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(SwapError, match="pip install ray"):
        _score(study, tmp_path / "s.jsonl", backend="ray")
