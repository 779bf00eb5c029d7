"""Scoring many architectures: only what is missing, in parallel, stored as it comes.

Scores are bit-identical whatever the order, the number of workers or the backend: each
architecture is scored by one thread, its weights are drawn from (seed, space, architecture), and
the minibatch from (seed, inputs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import joblib

from naslib_swap.errors import SwapError
from naslib_swap.evaluation.backends import Crew, crew
from naslib_swap.evaluation.job import failed_records, score_job
from naslib_swap.evaluation.store import ScoreStore
from naslib_swap.evaluation.study import Study
from naslib_swap.evaluation.survey import key_of, missing_jobs, survey

__all__ = ["key_of", "run", "score_jobs"]

Records = list[dict[str, Any]]

_DEATHS_IN_A_ROW = 5


class _Named(Protocol):
    @property
    def arch(self) -> str: ...


J = TypeVar("J", bound=_Named)


def run(
    studies: Iterable[Study],
    store: ScoreStore,
    *,
    workers: int = 1,
    backend: str = "loky",
    address: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], None] = lambda text: None,
    retry_failed: bool = False,
) -> int:
    """Score what the studies lack and append it to the store; return the number of jobs done.

    ``progress`` is called with the jobs done and the jobs there are, ``note`` with what a user
    should know. ``workers=1`` runs in this process, more run through joblib; see
    :func:`naslib_swap.evaluation.backends.crew` for the backends. Scores that failed in an earlier
    run stay so unless ``retry_failed``.
    """
    asked = list(studies)
    known = survey(asked, store.records(), retry_failed=retry_failed)
    for differs, count in known.others.items():
        note(
            f"{store.path} also holds {count} score(s) of these architectures made with other "
            f"settings: {differs}. They stay there and are not used."
        )
    if known.failed and not retry_failed:
        note(f"{known.failed} score(s) failed in an earlier run; --retry-failed tries them again.")
    jobs = [job for study in asked for job in missing_jobs(study, known.done)]
    progress(0, len(jobs))
    if jobs:
        with crew(backend, min(workers, len(jobs)), address) as hands:
            for done, records in enumerate(score_jobs(jobs, hands, score_job, failed_records), 1):
                store.append(records)
                progress(done, len(jobs))
    return len(jobs)


def score_jobs(
    jobs: Sequence[J],
    hands: Crew,
    score: Callable[[J], Records],
    failed: Callable[[J, str], Records],
) -> Iterator[Records]:
    """Yield the records of each job, in the order in which they come.

    When a worker dies (killed for want of memory, say), the architectures that were in hand are
    scored one by one; one whose worker dies again has failed, and the others go on. ``failed``
    makes the records that say so, from the job and the reason.

    Raises
    ------
    SwapError
        When workers die on several architectures in a row: the fault is not in these.
    """
    left = dict(enumerate(jobs))
    deaths = 0
    while left:
        handed: list[int] = []
        try:
            for number, records in hands.run(_tasks(left, handed, score)):
                del left[number]
                deaths = 0
                yield records
        except hands.lost:
            for number in [n for n in handed if n in left]:
                job = left.pop(number)
                try:
                    _, records = hands.alone(joblib.delayed(_numbered)(number, job, score))
                    deaths = 0
                except hands.lost as error:
                    deaths += 1
                    if deaths == _DEATHS_IN_A_ROW:
                        raise SwapError(
                            f"workers died on {deaths} architectures in a row, {job.arch} the last "
                            f"of them ({type(error).__name__}). Use fewer --workers or --samples, "
                            "or --workers 1 to see why."
                        ) from None
                    records = failed(
                        job,
                        f"{type(error).__name__}: the worker died, killed or for want of memory",
                    )
                yield records


def _tasks(
    left: Mapping[int, J], handed: list[int], score: Callable[[J], Records]
) -> Iterator[Any]:
    for number, job in list(left.items()):
        handed.append(number)
        yield joblib.delayed(_numbered)(number, job, score)


def _numbered(number: int, job: J, score: Callable[[J], Records]) -> tuple[int, Records]:
    return number, score(job)
