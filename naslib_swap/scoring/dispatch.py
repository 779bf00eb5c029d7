"""Jobs handed to workers, a few at a time; more may be given while they work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

from naslib_swap.errors import LostWorker
from naslib_swap.scoring.backends import LOOK_SECONDS, Crew
from naslib_swap.scoring.record import Record
from naslib_swap.scoring.single import Job, failed, score_job

_DEATHS_IN_A_ROW = 5


class Dispatch:
    """Hands out jobs and takes their records, in the order in which they come.

    When a worker dies (killed as it needed too much memory, say), the subjects that were in hand
    are scored one by one; one whose worker dies again has failed, and the others go on.

    Parameters
    ----------
    hands
        Who does them.
    jobs
        The first ones; `give` adds more. Iteration ends when all are done.
    score
        What is done.
    """

    def __init__(
        self,
        hands: Crew,
        jobs: Iterable[Job] = (),
        score: Callable[[Job], list[Record]] = score_job,
    ) -> None:
        self.hands = hands
        self.score = score
        self._waiting = deque(jobs)
        self._suspects = deque[Job]()
        self._in_hand: dict[Future[Any], Job] = {}
        self._alone = False  # whether what is in hand is a suspect
        self._done = SimpleQueue[Future[Any]]()
        self._deaths = 0

    def give(self, jobs: Iterable[Job]) -> None:
        """Add jobs; workers that have nothing to do begin at once."""
        self._waiting.extend(jobs)
        self._hand_out()

    def __iter__(self) -> Iterator[list[Record]]:
        while self._waiting or self._suspects or self._in_hand:
            yield self.take()

    def take(self) -> list[Record]:
        """Wait for the next records.

        Raises
        ------
        LostWorker
            When workers die on several subjects in a row: the fault is not in these.
        """
        while True:
            self._hand_out()
            done = self._next_done()
            job = self._in_hand.pop(done)
            try:
                records: list[Record] = done.result()
            except self.hands.lost as error:
                if self._alone:
                    return self._failed(job, error)
                self._suspects.append(job)
            except Exception as error:
                self.hands.explain(error)
                raise
            else:
                self._deaths = 0
                return records

    def _next_done(self) -> Future[Any]:
        silent = 0
        while True:
            try:
                return self._done.get(timeout=LOOK_SECONDS)
            except Empty:
                silent += 1
                self.hands.look(silent)

    def _failed(self, job: Job, error: BaseException) -> list[Record]:
        self._deaths += 1
        if self._deaths == _DEATHS_IN_A_ROW:
            raise LostWorker(
                f"workers died on {self._deaths} architectures in a row, {job.subject.name} the "
                f"last of them ({type(error).__name__}). Use fewer --workers or --samples, or "
                "--workers 1 to see why."
            ) from None
        reason = f"{type(error).__name__}: the worker died, killed or out of memory"
        return failed(job, reason)

    def _hand_out(self) -> None:
        while queue := self._suspects or self._waiting:
            alone = queue is self._suspects
            if len(self._in_hand) >= (1 if alone or self._alone else self.hands.most):
                return
            self._alone = alone
            try:
                future = self.hands.submit(self.score, queue[0])
            except Exception as error:  # that there is no worker, say
                future = Future()
                future.set_exception(error)
            self._in_hand[future] = queue.popleft()
            future.add_done_callback(self._done.put)
