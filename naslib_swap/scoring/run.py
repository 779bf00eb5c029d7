"""Scoring many subjects: only what is missing, in parallel, stored as it comes.

Scores are the same to the bit whatever the order, the number of workers or the backend: each
subject is scored by one thread, its weights are drawn from (seed, space, parts), and the minibatch
from (seed, inputs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Optional

import joblib

from naslib_swap.errors import BadArgument, LostWorker
from naslib_swap.options import option
from naslib_swap.scoring.backends import BACKENDS, Crew, crew, processors
from naslib_swap.scoring.record import Record
from naslib_swap.scoring.single import Job, failed, score_job
from naslib_swap.scoring.store import Store
from naslib_swap.scoring.study import Study, missing, survey

_DEATHS_IN_A_ROW = 5


@dataclass(frozen=True)
class Workers:
    """Where scores are computed; none of them depends on it.

    ``workers`` are processes; one is this process itself. For ``backend`` and ``address`` see
    :func:`naslib_swap.scoring.backends.crew`.

    Raises
    ------
    BadArgument
        Fewer than one worker, an unknown backend, an address for none.
    """

    workers: Optional[int] = option(None, "Processes that score.", shown="one per processor")
    backend: str = option("loky", "joblib's: loky, dask or ray.")
    address: Optional[str] = option(None, "Of a running Dask or Ray cluster; all of it is used.")

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise BadArgument(f"got {self.workers} workers, expected at least 1.")
        if self.backend not in BACKENDS:
            raise BadArgument(
                f"got backend {self.backend!r}, expected one of {', '.join(BACKENDS)}."
            )
        if self.backend == "loky" and self.address is not None:
            raise BadArgument(
                f"got the address {self.address!r} for loky, expected --backend dask or ray."
            )

    @contextmanager
    def crew(self, most: int) -> Iterator[Crew]:
        """Start workers, at most as many as there are jobs."""
        workers = processors() if self.workers is None else self.workers
        with crew(self.backend, max(1, min(workers, most)), self.address) as hands:
            yield hands


@dataclass(frozen=True)
class Execution(Workers):
    """How a run over a store is computed: where, and whether what failed is tried again."""

    retry_failed: bool = option(False, "Score again what failed in an earlier run.")


def run(
    studies: Iterable[Study],
    store: Store,
    execution: Execution | None = None,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], None] = lambda text: None,
) -> int:
    """Score what the studies lack and append it to the store.

    Parameters
    ----------
    studies
        What is wanted; at most one study about a task.
    store
        Open for appending.
    execution
        Where it is computed; None in this process.
    progress
        Called with the number of jobs done and the number there are.
    note
        Called with what a user should know.

    Returns
    -------
    int
        The number of jobs done, one per network and seed.
    """
    how = execution or Execution(workers=1)
    asked = list(studies)
    known = survey(asked, store.records())
    for differs, count in known.others.items():
        note(
            f"{store.path} also holds {count} score(s) of these architectures made with other "
            f"settings: {differs}. They stay there and are not used."
        )
    without = sum(score.value is None for score in known.scores.values())
    if without and not how.retry_failed:
        note(f"{without} score(s) failed in an earlier run; --retry-failed tries them again.")
    jobs = [
        job
        for study in asked
        for job in missing(study, known.scores, retry_failed=how.retry_failed)
    ]
    progress(0, len(jobs))
    if jobs:
        with how.crew(len(jobs)) as hands:
            for done, records in enumerate(score_jobs(jobs, hands), 1):
                store.append(records)
                progress(done, len(jobs))
    return len(jobs)


def score_jobs(jobs: Sequence[Job], hands: Crew) -> Iterator[list[Record]]:
    """Yield the records of each job, in the order in which they come.

    When a worker dies (killed as it needed too much memory, say), the subjects that were in hand
    are scored one by one; one whose worker dies again has failed, and the others go on.

    Raises
    ------
    LostWorker
        When workers die on several subjects in a row: the fault is not in these.
    """
    left = dict(enumerate(jobs))
    deaths = 0
    while left:
        handed: list[int] = []
        try:
            for number, records in hands.run(_tasks(left, handed)):
                del left[number]
                deaths = 0
                yield records
        except hands.lost:
            for number in [n for n in handed if n in left]:
                job = left.pop(number)
                try:
                    _, records = hands.alone(joblib.delayed(_numbered)(number, job))
                    deaths = 0
                except hands.lost as error:
                    deaths += 1
                    if deaths == _DEATHS_IN_A_ROW:
                        raise LostWorker(
                            f"workers died on {deaths} architectures in a row, {job.subject.name} "
                            f"the last of them ({type(error).__name__}). Use fewer --workers or "
                            "--samples, or --workers 1 to see why."
                        ) from None
                    records = failed(
                        job, f"{type(error).__name__}: the worker died, killed or out of memory"
                    )
                yield records


def _tasks(left: Mapping[int, Job], handed: list[int]) -> Iterator[Any]:
    for number, job in list(left.items()):
        handed.append(number)
        yield joblib.delayed(_numbered)(number, job)


def _numbered(number: int, job: Job) -> tuple[int, list[Record]]:
    return number, score_job(job)
