"""Scoring many subjects: only what is missing, in parallel, stored as it comes.

Scores are the same to the bit whatever the order, the number of workers or the backend: each
subject is scored by one thread, its weights are drawn from (seed, space, parts), and the minibatch
from (seed, inputs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from naslib_swap.scoring import shipped
from naslib_swap.scoring.dispatch import Dispatch
from naslib_swap.scoring.execution import Execution
from naslib_swap.scoring.order import Order, as_they_are
from naslib_swap.scoring.record import Record
from naslib_swap.scoring.sharing import following, shared
from naslib_swap.scoring.store import Store
from naslib_swap.scoring.study import Study, missing, survey


def run(
    studies: Iterable[Study],
    store: Store,
    execution: Execution | None = None,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], None] = lambda text: None,
    order: Order = as_they_are,
    came: Callable[[list[Record]], None] = lambda records: None,
) -> int:
    """Score what the studies lack and append it to the store.

    What comes with the package is taken from there, unless the execution says otherwise.

    Parameters
    ----------
    studies
        What is wanted; at most one study per task.
    store
        Open for appending.
    execution
        Where it is computed; None in this process.
    progress
        Called with the number of jobs done and the number there are.
    note
        Called with what a user should know.
    order
        What is done first; see `naslib_swap.scoring.order`.
    came
        Called with scores as soon as they are stored, before `progress`.

    Returns
    -------
    int
        The number of jobs done, one per network, task and seed unless `order` splits them.

    Examples
    --------
    >>> from pathlib import Path
    >>> from naslib_swap.scoring import Architecture, Study, gather
    >>> from naslib_swap.scoring.store import LineStore
    >>> net = Architecture("nasbench201", "cifar10", "(0, 2, 3, 2, 3, 1)")
    >>> study = Study("nasbench201", "cifar10", {"mine": net}, ("params", "depth"))
    >>> with LineStore(Path("scores.jsonl")) as store:
    ...     jobs = run([study], store)
    ...     table = gather([study], store)[0]
    >>> jobs, table["value"].tolist()
    (1, [21.0, 0.615386])
    """
    how = execution or Execution(workers=1)
    asked = list(studies)
    known = survey(asked, store.records())
    for differs, count in known.others.items():
        note(
            f"{store.path} also holds {count} score(s) of these architectures made with other "
            f"settings: {differs}. They stay there and are not used."
        )
    if known.failed and not how.retry_failed:
        note(f"{known.failed} score(s) failed in an earlier run; --retry-failed tries them again.")
    if not how.rescore:
        found = shipped.taken(asked, known, note)
        if found:
            store.append(found)
            came(found)
    jobs = [job for study in asked for job in missing(study, known, retry_failed=how.retry_failed)]
    jobs = order(jobs)
    left, followers = shared(jobs)
    done, total = 0, len(left)
    progress(done, total)
    if left:
        with how.crew(total) as hands:
            dispatch = Dispatch(hands, left)
            for records in dispatch:
                more, alone = following(records, followers)
                made = [*records, *more]
                store.append(made)
                came(made)
                dispatch.give(alone)
                done, total = done + 1, total + len(alone)
                progress(done, total)
    return len(jobs)
