"""A whole search, from a plan to files. Needs no NASLib."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Callable

import numpy as np

from naslib_swap.errors import BadArgument
from naslib_swap.optimizers import search as steps
from naslib_swap.optimizers.evolution import Evolution
from naslib_swap.optimizers.plan import SearchPlan
from naslib_swap.optimizers.result import SearchResult, write
from naslib_swap.scoring.execution import Workers
from naslib_swap.scoring.recipe import Recipe

_TOP = 10


def search(
    plan: SearchPlan,
    *,
    out: Path | str | None = None,
    execution: Workers | None = None,
    resume: bool = False,
    progress: Callable[[Evolution], None] | None = None,
) -> SearchResult:
    """Search an architecture by evolution, guided by a training-free score.

    The result depends on the plan alone; where a time limit ends the search, on the machine too.

    Parameters
    ----------
    plan
        What is searched, by what, and for how long.
    out
        Folder for ``history.jsonl``, ``checkpoint.json`` and, at the end, ``result.json``,
        ``architecture.txt``, ``cells.png`` (where the space has cells) and ``curve.png``; None
        writes none.
    execution
        Where scores are computed; None in this process.
    resume
        Go on from the checkpoint in the folder. More cycles than before prolong a search.
    progress
        Called after each step.

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
    asked = plan.complete()
    asked.check(elsewhere=workers.address is not None)
    measure, settings, walk = asked.measure(), asked.settings(), asked.moves()
    limits = asked.limits()
    if limits is not None:
        limits.check(walk, np.random.default_rng([asked.seed, 2]))
    subject = measure.subject(walk.sample(np.random.default_rng(0)))
    recipes = {
        name: Recipe.of(subject, name, measure.conditions, asked.seed) for name in measure.scored
    }
    identity = asked.identity(recipes)
    with steps.alone(folder) if folder is not None else nullcontext():
        state = steps.begin(folder, identity, resume=resume) if folder is not None else None
        most = max(settings.population, settings.mutations, settings.offspring)
        with workers.crew(most) as hands:
            evolution = Evolution(
                walk, measure.by(hands), settings, asked.seed, admissible=limits, state=state
            )
            ending = steps.run(
                evolution,
                cycles=asked.cycles,
                seconds=asked.time_limit,
                folder=folder,
                identity=identity,
                progress=progress,
            )
        top = tuple(replace(one, fitness=evolution.value(one.arch)) for one in evolution.top(_TOP))
        result = SearchResult(asked, recipes, top, evolution.state, evolution.weighting(), ending)
        if folder is not None and top:
            write(folder, result, identity)
    return result
