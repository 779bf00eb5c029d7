"""Comparing proxies with accuracies, from a plan to tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Union

from naslib_swap.evaluation.plan import Plan
from naslib_swap.evaluation.planning import checked_together, study_of
from naslib_swap.evaluation.standings import Standings
from naslib_swap.proxies import higher_is_better
from naslib_swap.scoring.execution import Execution
from naslib_swap.scoring.order import Order, as_they_are, quick_first
from naslib_swap.scoring.runs import run
from naslib_swap.scoring.store import store_of
from naslib_swap.scoring.study import gather, recipes_of

if TYPE_CHECKING:
    from naslib_swap.evaluation.report import Outcome
    from naslib_swap.ground_truth import GroundTruth
    from naslib_swap.scoring.record import Record
    from naslib_swap.scoring.store import Store
    from naslib_swap.scoring.study import Study


def compare(
    plan: Union[Plan, Sequence[Plan]],
    *,
    out: Union[str, Path, None] = None,
    execution: Execution | None = None,
    timings: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], None] = lambda text: None,
    watch: Callable[[Standings], None] | None = None,
) -> list[Outcome]:
    """Score architectures by zero-cost proxies and compare the ranks with their accuracies.

    Parameters
    ----------
    plan
        What to compare; several plans are several tasks.
    out
        Folder for the scores, ``correlations.csv``, ``correlations.md``, ``report.html`` and
        pictures; None writes nothing. What it holds already is not scored again.
    execution
        Where it is computed; None in this process.
    timings
        Whether tables show seconds; without them, equal runs give equal bytes.
    progress
        Called with the number of jobs done and the number there are.
    note
        Called with what a user should know.
    watch
        Called once, before anything is scored, with the ranking as it grows. Whoever watches gets
        the quick proxies first.

    Returns
    -------
    list of Outcome
        One per plan; its ``table`` is a data frame with one row per proxy.

    Raises
    ------
    SwapError
        A plan that cannot be met, or a folder that cannot be written.

    Examples
    --------
    >>> from naslib_swap import Plan, compare
    >>> outcome = compare(Plan(archs=20, proxies=("params", "depth")))[0]
    >>> outcome.table[["proxy", "n"]].values.tolist()
    [['depth', 20], ['params', 20]]
    """
    plans = [plan] if isinstance(plan, Plan) else list(plan)
    elsewhere = execution is not None and execution.address is not None
    planned = [study_of(one, elsewhere=elsewhere) for one in plans]
    studies = [study for study, _ in planned]
    for _, truth in planned:
        for text in truth.notes:
            note(text)
    checked_together(studies)
    folder = None if out is None else Path(out)
    with store_of(folder, note) as store:
        order: Order = as_they_are
        came: Callable[[list[Record]], None] = _nobody
        if watch is not None:
            standings = _standings(planned)
            standings.add(_stored(studies, store))
            watch(standings)
            order, came = quick_first, standings.add
        run(studies, store, execution, progress=progress, note=note, order=order, came=came)
        # Statistics and pictures import much that scoring does not need.
        from naslib_swap.evaluation.report import outcome_of
        from naslib_swap.evaluation.results import write_results

        outcomes = [
            outcome_of(
                study,
                truth,
                scores,
                combined=one.columns()[1],
                labelled=one.libra,
                subset=one.subset,
                top=one.top,
                timings=timings,
            )
            for one, (study, truth), scores in zip(plans, planned, gather(studies, store))
        ]
        if folder is not None:
            write_results(folder, outcomes)
    return outcomes


def _nobody(records: list[Record]) -> None:
    """Nobody watches."""


def _standings(planned: Sequence[tuple[Study, GroundTruth]]) -> Standings:
    names = {name for study, _ in planned for name in study.proxies}
    return Standings(
        [study for study, _ in planned],
        [truth.accuracy for _, truth in planned],
        {name: higher_is_better(name) for name in names},
    )


def _stored(studies: Sequence[Study], store: Store) -> Iterator[Record]:
    """Yield what an earlier run has left of the same recipes."""
    recipes = {recipe.id for study in studies for recipe in recipes_of(study).values()}
    return (record for record in store.records() if record.key.recipe in recipes)
