"""A whole search, from a plan to files. Needs no NASLib."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import numpy as np

from naslib_swap.errors import BadArgument
from naslib_swap.optimizers import checkpoint
from naslib_swap.optimizers import search as steps
from naslib_swap.optimizers.accuracies import Ask, Table, asked, table, table_at_hand
from naslib_swap.optimizers.costs import Cost, costs
from naslib_swap.optimizers.evolution import Candidate, Evolution, Measure, Measured
from naslib_swap.optimizers.final import chosen, scored_again
from naslib_swap.optimizers.fitness import Scored
from naslib_swap.optimizers.plan import SearchPlan
from naslib_swap.optimizers.result import SearchResult, write
from naslib_swap.scoring.execution import Workers
from naslib_swap.scoring.recipe import Recipe

LATENCIES, ACCURACIES = "latencies.jsonl", "accuracies.jsonl"

_TOP = 10


def search(
    plan: SearchPlan,
    *,
    out: Path | str | None = None,
    execution: Workers | None = None,
    resume: bool = False,
    progress: Callable[[Evolution], None] | None = None,
    accuracy: Ask | None = None,
) -> SearchResult:
    """Search an architecture by evolution, guided by a training-free score.

    The result depends on the plan alone; where a time limit ends the search, on the machine too.

    Parameters
    ----------
    plan
        What is searched, by what, and for how long.
    out
        Folder for ``history.jsonl``, ``checkpoint.json`` and, at the end, ``result.json`` and the
        other files of docs/search.md; None writes none.
    execution
        Where scores are computed; None in this process.
    resume
        Go on from the checkpoint in the folder. More cycles than before prolong a search.
    progress
        Called after each step.
    accuracy
        For ``verify``: gives the true accuracy of an architecture in the space's notation, higher
        is better. None takes the plan's table.

    Returns
    -------
    SearchResult
        The best architectures, the history, the sizes.

    Raises
    ------
    BadArgument
        A plan that cannot be met; a checkpoint of another search.
    BadFile
        Images, a checkpoint or a folder that cannot be read or written. What is on disk stays as
        it is.
    LostWorker
        Workers died on several architectures in a row. What was scored before is saved in `out`.

    References
    ----------
    Algorithm 1 of arXiv 2403.04161 and 2605.07378; docs/search.md says what is ours.

    Examples
    --------
    >>> plan = SearchPlan("nasbench201", proxy="params", population=4, cycles=2)
    >>> result = search(plan)
    >>> len(result.history), result.ending.reason
    (19, 'cycles')
    """
    if resume and out is None:
        raise BadArgument("resuming needs the folder of the search that was cut off.")
    folder = None if out is None else Path(out)
    workers = execution or Workers(workers=1)
    wanted = plan.complete()
    wanted.check(elsewhere=workers.address is not None)
    known = _truth(wanted, accuracy)
    measure, settings, walk = wanted.measure(), wanted.settings(), wanted.moves()
    latencies = wanted.latencies()
    if folder is not None and resume:
        checkpoint.require(folder / steps.CHECKPOINT)
        latencies.recall(folder / LATENCIES)
    looked_at = {cost.name: cost for cost in costs(wanted.network(), wanted.looks_at(), latencies)}
    limits = wanted.limits(looked_at)
    limits.check(walk, np.random.default_rng([wanted.seed, 2]))
    subject = measure.subject(walk.sample(np.random.default_rng(0)))
    recipes = {
        name: Recipe.of(subject, name, measure.conditions, wanted.seed) for name in measure.scored
    }
    identity = wanted.identity(recipes)
    with steps.alone(folder) if folder is not None else nullcontext():
        state = steps.begin(folder, identity, resume=resume) if folder is not None else None
        if folder is not None and any(map(latencies.measures, wanted.devices())):
            latencies.keep(folder / LATENCIES)
        most = max(settings.population, settings.children)
        with workers.crew(most) as hands:
            evolution = Evolution(
                walk,
                costed(measure.by(hands), looked_at),
                settings,
                wanted.seed,
                admissible=limits if looked_at else None,
                state=state,
            )
            ending = steps.run(
                evolution,
                cycles=wanted.cycles,
                seconds=wanted.time_limit,
                folder=folder,
                identity=identity,
                progress=progress,
            )
        result = SearchResult(
            wanted,
            recipes,
            _at_the_end(evolution, evolution.top(_TOP)),
            evolution.state,
            evolution.weighting(),
            ending,
            front=_at_the_end(evolution, evolution.front() if wanted.pareto else ()),
            named=known,
        )
        if result.top:
            ranked = result.front or _at_the_end(
                evolution, evolution.top(len(result.state.history))
            )
            result = _choose(ranked, result, workers, accuracy, known, folder)
            if folder is not None:
                write(folder, result, identity)
    return result


def costed(measure: Measure, looked_at: Mapping[str, Cost]) -> Measure:
    """Return what measures costs beside the scores, by name."""
    if not looked_at:
        return measure

    def measured(archs: Sequence[Any]) -> Iterable[Measured]:
        return (
            replace(one, costs={name: cost.of(arch) for name, cost in looked_at.items()})
            if isinstance(one, Scored)
            else one
            for arch, one in zip(archs, measure(archs))
        )

    return measured


def _truth(plan: SearchPlan, accuracy: Ask | None) -> Table | None:
    """Return the table that is named or needed, and complain before the search.

    Raises
    ------
    SwapError
        A table that cannot be read; ``verify`` without anything to ask, or the other way round.
    """
    named = plan.truth is not None or plan.truth_file is not None
    known = table(plan.space, plan.task, plan.truth, plan.truth_file) if named else None
    if accuracy is not None and not plan.verify:
        raise BadArgument(
            "got --accuracy without --verify, expected --verify N: how often may it be asked?"
        )
    if plan.verify and accuracy is None and known is None:
        known = table_at_hand(plan.space, plan.task)
        if known is None:
            raise BadArgument(
                f"got --verify {plan.verify} and no true accuracies of {plan.space}, {plan.task}, "
                "expected --accuracy module:function, --truth SOURCE, or --truth-file, a table."
            )
    return known


def _at_the_end(evolution: Evolution, found: Iterable[Candidate]) -> tuple[Candidate, ...]:
    return tuple(replace(one, fitness=evolution.value(one.arch)) for one in found)


def _choose(
    ranked: tuple[Candidate, ...],
    result: SearchResult,
    workers: Workers,
    accuracy: Ask | None,
    known: Table | None,
    folder: Path | None,
) -> SearchResult:
    """Choose among what was found: by further scores, by true accuracies where these are asked."""
    plan, best = result.plan, {one.arch: one for one in ranked}
    archs = list(best)
    if plan.finalists and len(archs) > 1:
        last = archs[: plan.finalists]
        again = scored_again(
            last,
            space=plan.space,
            task=plan.task,
            variant=plan.variant,
            names=plan.finally_by(),
            seeds=range(plan.seed, plan.seed + plan.final_draws),
            conditions=plan.finally_under(),
            workers=workers,
            folder=folder,
        )
        finalists = chosen(last, again, plan.finally_against())
        archs = [*(one.arch for one in finalists), *archs[plan.finalists :]]
        result = replace(result, finalists=finalists, found=best[archs[0]])
    if plan.verify:
        if accuracy is None and known is not None:
            accuracy = known.known
            archs = [arch for arch in archs if known.of(arch) is not None]
        if accuracy is not None and archs:
            file = None if folder is None else folder / ACCURACIES
            verified = asked(archs[: plan.verify], accuracy, file)
            found = max(verified, key=verified.__getitem__)
            result = replace(result, verified=verified, found=best[found])
    return result
