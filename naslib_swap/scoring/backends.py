"""Where jobs run: in this process, in processes of this machine, on a Dask or Ray cluster."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from weakref import WeakSet

import joblib

from naslib_swap.errors import LostWorker
from naslib_swap.scoring.installations import missing_there, require_installations

Submit = Callable[..., "Future[Any]"]
"""Begins to call a function with its arguments, as ``concurrent.futures.Executor.submit``."""

_CONNECT_SECONDS = 20
LOOK_SECONDS = 1.0
_IDLE_SECONDS = 300.0
_WORKER_SECONDS = 120.0  # a worker that starts, or starts again, imports torch first
_ABSENT_SECONDS = 30.0  # on somebody else's cluster, where dead ones may not start again


@dataclass(frozen=True)
class Crew:
    """Workers that take tasks.

    Attributes
    ----------
    submit
        Hands one task to a worker.
    most
        How many tasks should be in hand: more than there are workers, so that these never wait.
    lost
        What a task raises whose worker died.
    explain
        Raises what a user should be told of another error of a task, if it is not that error.
    look
        Called every `LOOK_SECONDS` in which no result came, with the number of these in a row;
        raises where none will come.
    """

    submit: Submit
    most: int
    lost: tuple[type[BaseException], ...] = ()
    explain: Callable[[Exception], None] = lambda error: None
    look: Callable[[int], None] = lambda silent: None


@contextmanager
def crew(backend: str, workers: int, address: str | None = None) -> Iterator[Crew]:
    """Start workers, or connect to a cluster; they are released at the end.

    ``loky`` starts processes; one worker is this process itself. ``dask`` and ``ray`` connect to
    the cluster at ``address`` and use all of it, or start ``workers`` processes where there is no
    address.

    Raises
    ------
    LostWorker
        A package that is not installed, a cluster that does not answer.
    """
    with ExitStack() as stack:
        if backend == "dask":
            yield _dask(stack, workers, address)
        elif backend == "ray":
            yield _ray(stack, workers, address)
        elif workers == 1:
            yield Crew(_here, most=1)
        else:
            yield _loky(stack, workers)


def processors() -> int:
    """Return how many processors this process may use: affinity, cgroup and SLURM count."""
    allotted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    usable = joblib.cpu_count()
    return max(1, min(usable, int(allotted)) if allotted.isdecimal() else usable)


def _here(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    future = Future[Any]()
    try:
        future.set_result(function(*arguments))
    except Exception as error:
        future.set_exception(error)
    return future


def _loky(stack: ExitStack, workers: int) -> Crew:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    in_hand = WeakSet[Future[Any]]()

    def submit(*task: Any) -> Future[Any]:
        try:
            future = _processes(workers).submit(*task)
        except BrokenProcessPool:
            _processes.cache_clear()
            future = _processes(workers).submit(*task)
        in_hand.add(future)
        return future

    def end(kind: type[BaseException] | None, *_: Any) -> None:
        for future in in_hand:
            future.cancel()
        if kind is not None:
            _processes(workers).shutdown(kill_workers=True)
            _processes.cache_clear()

    stack.push(end)
    # A worker that holds much more memory than at first is replaced; nothing is lost by it.
    stack.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
    return Crew(submit, 2 * workers, (BrokenProcessPool,))


@lru_cache(maxsize=1)
def _processes(workers: int) -> Any:
    """Return processes; they stay for the next run, as each has to import torch."""
    from joblib.externals.loky import ProcessPoolExecutor

    libraries = ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMBA", "NUMEXPR")
    return ProcessPoolExecutor(
        workers,
        timeout=_IDLE_SECONDS,
        env={f"{library}_NUM_THREADS": "1" for library in libraries},
        initializer=_end_with,
        initargs=(os.getpid(),),
    )


def _end_with(parent: int) -> None:
    """End this process soon after its parent, which was killed and could not end it.

    An orphan gets another parent (not on Windows). Without this, loky's idle workers wait for five
    minutes, and a busy one scores to its end.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def _dask(stack: ExitStack, workers: int, address: str | None) -> Crew:
    try:
        from dask import config
        from distributed import Client, LocalCluster
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise LostWorker(
            "the backend dask needs the package distributed: pip install 'naslib-swap[cluster]'."
        ) from None
    cluster: Any = address
    if cluster is None:
        # Dask gives a worker up that takes 15 seconds to start again, as on a busy machine.
        patient = {"distributed.deploy.lost-worker-timeout": _WORKER_SECONDS}
        stack.enter_context(config.set(patient))
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.ERROR,  # that a search ends while a worker scores, say
            )
        )
    stack.enter_context(_silenced("distributed.client"))  # a trace where the scheduler dies
    try:
        client = stack.enter_context(
            Client(cluster, timeout=_CONNECT_SECONDS, set_as_default=False)
        )
    except (OSError, TimeoutError) as error:
        raise LostWorker(
            f"no Dask scheduler answers at {address}: {error}. Start one with `dask scheduler`."
        ) from None
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
    except (TimeoutError, asyncio.TimeoutError):  # two kinds before Python 3.11
        raise LostWorker(
            f"the Dask cluster at {address} has no workers; start some with `dask worker ADDRESS`."
        ) from None
    if address is not None:
        require_installations("Dask", lambda *call: client.run(*call, on_error="return"))
    # Our own cluster starts dead workers again, which takes long on a busy machine.
    patience = _WORKER_SECONDS if address is None else _ABSENT_SECONDS
    absent = 0

    def lost() -> bool:
        return client.status in ("closing", "closed")

    def explain(error: Exception) -> None:
        if lost() or isinstance(error, CancelledError):
            raise _without_scheduler() from None
        if isinstance(error, (ImportError, AttributeError)):  # a worker that joined later
            raise missing_there("a Dask worker", error) from None

    def look(silent: int) -> None:
        # Dask itself would wait for a worker forever.
        nonlocal absent
        if lost():
            raise _without_scheduler()
        try:
            present = client.ncores()
        except (OSError, asyncio.TimeoutError):  # it may come back, or be lost
            return
        absent = 0 if present else min(absent + 1, silent)
        if absent * LOOK_SECONDS > patience:
            raise _without_workers(patience)

    most = 2 * max(1, sum(client.ncores().values()))
    submit = client.get_executor(pure=False).submit
    return Crew(submit, most, (KilledWorker,), explain, look)


@contextmanager
def _silenced(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _without_workers(seconds: float) -> LostWorker:
    return LostWorker(
        f"the Dask cluster has had no worker for {seconds:g} seconds. What was scored is "
        "kept: start workers and give the same command again (a search with --resume), or go on "
        "without --backend and --address."
    )


def _without_scheduler() -> LostWorker:
    return LostWorker(
        "the connection to the Dask scheduler was lost. What was scored is kept: start the "
        "scheduler and give the same command again (a search with --resume), or go on without "
        "--backend and --address."
    )


def _ray(stack: ExitStack, workers: int, address: str | None) -> Crew:
    try:
        import ray
        from ray.exceptions import WorkerCrashedError
    except ImportError:
        raise LostWorker("the backend ray needs the package ray: pip install ray.") from None
    if address is not None:
        _require_answer(address)
    try:
        ray.init(
            address=address,
            num_cpus=None if address else workers,
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
    except Exception as error:  # of many kinds, a plain Exception among them
        raise _no_ray(address, error) from None
    stack.callback(ray.shutdown)
    if address is not None:
        require_installations("Ray", _on_every_node)
    size = max(1, int(ray.cluster_resources().get("CPU", workers)))
    remote = ray.remote(num_cpus=1, max_retries=0)(_called)

    def submit(*task: Any) -> Future[Any]:
        return remote.remote(*task).future()

    return Crew(submit, 2 * size, (WorkerCrashedError,), _explain_ray)


def _called(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _explain_ray(error: Exception) -> None:
    cause = getattr(error, "cause", None)
    if isinstance(cause, Exception):
        raise cause from None


def _on_every_node(function: Callable[[str], Any], text: str) -> dict[str, Any]:
    """Return what a function returned or raised, by the address of a node."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    found: dict[str, Any] = {}
    for node in ray.nodes():
        if node["Alive"]:
            here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            remote = ray.remote(num_cpus=0, scheduling_strategy=here)(function)
            try:
                found[node["NodeManagerAddress"]] = ray.get(remote.remote(text))
            except (RayError, ImportError, AttributeError) as error:
                found[node["NodeManagerAddress"]] = getattr(error, "cause", error)
    return found


def _require_answer(address: str) -> None:
    """Raise LostWorker where nothing listens: Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():  # "auto", say
        return
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_ray(address, error) from None


def _no_ray(address: str | None, error: Exception) -> LostWorker:
    reason = str(error).split("\n", 1)[0].rstrip(".")
    if address is None:
        return LostWorker(
            f"Ray did not start here: {reason}. Start it with `ray start --head` and give its "
            "--address, or go on without --backend."
        )
    return LostWorker(
        f"no Ray cluster answers at {address}: {reason}. Start one with `ray start --head`."
    )
