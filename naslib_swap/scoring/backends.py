"""Where jobs run: in this process, in processes of this machine, on a Dask or Ray cluster."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import joblib

from naslib_swap.errors import LostWorker
from naslib_swap.scoring.installations import missing_there, require_installations

Task = Any
"""What ``joblib.delayed`` makes of a function and its arguments."""

_CONNECT_SECONDS = 20
_LOOK_SECONDS = 1.0
_WORKER_SECONDS = 120.0  # a worker that starts, or starts again, imports torch first
_ABSENT_SECONDS = 30.0  # on somebody else's cluster, where dead ones may not start again


@dataclass(frozen=True)
class Crew:
    """Workers that take tasks.

    Attributes
    ----------
    run
        Yields results as they come, in any order; takes few more tasks than there are workers.
    alone
        Runs one task in another process.
    lost
        What both raise when a worker died.
    """

    run: Callable[[Iterable[Task]], Iterator[Any]]
    alone: Callable[[Task], Any]
    lost: tuple[type[BaseException], ...] = ()


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
            yield Crew(run=_here, alone=_call)
        else:
            yield _loky(stack, workers)


def processors() -> int:
    """Return how many processors this process may use: affinity, cgroup and SLURM count."""
    allotted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    usable = joblib.cpu_count()
    return max(1, min(usable, int(allotted)) if allotted.isdecimal() else usable)


def _call(task: Task) -> Any:
    function, arguments, keywords = task
    return function(*arguments, **keywords)


def _here(tasks: Iterable[Task]) -> Iterator[Any]:
    return map(_call, tasks)


def _loky(stack: ExitStack, workers: int) -> Crew:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    ending = {"initializer": _end_with, "initargs": (os.getpid(),)}
    stack.enter_context(joblib.parallel_config("loky", inner_max_num_threads=1, **ending))
    # A worker that holds much more memory than at first is replaced; nothing is lost by it.
    stack.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
    return Crew(_streamed(workers), _streamed_alone(2), (BrokenProcessPool,))


def _end_with(parent: int) -> None:
    """End this process soon after its parent, which was killed and could not end it.

    An orphan gets another parent (not on Windows). Without this, loky's idle workers wait for five
    minutes, and a busy one scores to its end.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def _dask(stack: ExitStack, workers: int, address: str | None) -> Crew:
    try:
        from distributed import Client, LocalCluster
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise LostWorker(
            "the backend dask needs the package distributed: pip install 'naslib-swap[cluster]'."
        ) from None
    cluster: Any = address
    if cluster is None:
        cluster = stack.enter_context(
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
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
    backend = _reporting_backend()(client=client, wait_for_workers_timeout=patience)
    stack.enter_context(_watched(client, backend))
    stack.enter_context(joblib.parallel_config(backend))
    return Crew(_streamed(-1), _streamed_alone(-1), (KilledWorker,))


@contextmanager
def _silenced(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _watched(client: Any, backend: Any) -> Iterator[None]:
    """Have the backend give up what is in hand while the cluster has no worker for long.

    Dask itself would wait for one forever.
    """
    ended = threading.Event()

    async def watch() -> None:
        seen = time.monotonic()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if ended.is_set() or client.status in ("closing", "closed"):
                return
            try:
                workers = await client.scheduler.ncores()
            except OSError:  # the scheduler is lost, which the tasks in hand are told by Dask
                continue
            if workers:
                seen = time.monotonic()
            elif time.monotonic() - seen > backend.wait_for_workers_timeout:
                backend.give_up()

    client.loop.add_callback(watch)
    try:
        yield
    finally:
        ended.set()


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


class _Lost:
    """The result of a task whose workers died."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _reporting_backend() -> Any:
    """Return joblib's Dask backend without two habits that it has in joblib 1.6.

    It waits forever for a task that Dask itself gave up, and runs tasks in this process while the
    cluster has a single thread.
    """
    from joblib._dask import DaskDistributedBackend

    class Reporting(DaskDistributedBackend):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.in_hand: set[futures.Future[Any]] = set()

        def effective_n_jobs(self, n_jobs: int) -> int:
            try:
                return max(2, super().effective_n_jobs(n_jobs))
            except TimeoutError:
                raise _without_workers(self.wait_for_workers_timeout) from None
            except (OSError, futures.CancelledError):
                raise _without_scheduler() from None

        def submit(self, func: Any, callback: Any = None) -> Any:
            def report(done: Any) -> None:
                self.in_hand.discard(done)
                if (error := done.exception()) is not None:
                    callback(_Lost(error))

            future = super().submit(func, callback)
            self.in_hand.add(future)
            future.add_done_callback(report)
            return future

        def give_up(self) -> None:
            """Fail all tasks in hand: no workers. Called where Dask's results come in."""
            error = _without_workers(self.wait_for_workers_timeout)
            for future in list(self.in_hand):
                future.set_exception(error)

        def retrieve_result_callback(self, out: Any) -> Any:
            try:
                if isinstance(out, _Lost):
                    raise out.error
                return super().retrieve_result_callback(out)
            except futures.CancelledError:
                raise _without_scheduler() from None
            except (ImportError, AttributeError) as error:  # a worker that joined later
                raise missing_there("a Dask worker", error) from None

    return Reporting


def _ray(stack: ExitStack, workers: int, address: str | None) -> Crew:
    try:
        import ray
        from ray.exceptions import RayTaskError, WorkerCrashedError
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
    remote = ray.remote(num_cpus=1, max_retries=0)(_call)

    def result(reference: Any) -> Any:
        try:
            return ray.get(reference)
        except RayTaskError as error:
            raise error.cause from None

    def run(tasks: Iterable[Task]) -> Iterator[Any]:
        waiting = map(remote.remote, tasks)
        in_hand = list(islice(waiting, 2 * size))
        try:
            while in_hand:
                done, in_hand = ray.wait(in_hand)
                in_hand += islice(waiting, 1)
                yield result(done[0])
        finally:
            for reference in in_hand:
                ray.cancel(reference)

    return Crew(run, lambda task: result(remote.remote(task)), (WorkerCrashedError,))


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


def _streamed(workers: int) -> Callable[[Iterable[Task]], Iterator[Any]]:
    # One task per batch: a kill then loses one architecture per worker.
    def run(tasks: Iterable[Task]) -> Iterator[Any]:
        parallel = joblib.Parallel(
            n_jobs=workers, batch_size=1, return_as="generator_unordered", pre_dispatch="2*n_jobs"
        )
        return iter(parallel(tasks))

    return run


def _streamed_alone(workers: int) -> Callable[[Task], Any]:
    def alone(task: Task) -> Any:
        (result,) = _streamed(workers)([task])  # to the end: the workers then stay in order
        return result

    return alone
