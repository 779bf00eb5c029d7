"""Scores that several tasks share: computed for one of them, and taken over by the others.

Networks of two tasks may differ in heads alone that SWAP does not look at (`SearchSpace.encoders`).
On the same images their SWAP-Scores are equal, and a regularised one follows from it and the size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from naslib_swap.errors import BadArgument
from naslib_swap.regularisation import log_regularised
from naslib_swap.scoring.recipe import Recipe, unweighed
from naslib_swap.scoring.record import Record, Score
from naslib_swap.scoring.single import Job, records

SHARED = ("swap", "reg_swap", "values")
"""The proxies that look at the encoder and the size alone."""


Of = tuple[str, str, str, int]
"""Space, task, name and seed of a job's subject."""


class Shared(NamedTuple):
    """Jobs, without what follows from other jobs.

    Attributes
    ----------
    jobs
        What is to be computed.
    followers
        The jobs of other tasks whose scores follow from a job's, by what that one is of.
    """

    jobs: list[Job]
    followers: dict[Of, list[Job]]


def shared(jobs: Iterable[Job]) -> Shared:
    """Split jobs into what is to be computed and what follows from it.

    The first job of several that share their scores computes them, where SWAP is asked for.
    """
    found = Shared([], {})
    leaders: dict[Any, Job] = {}
    recipes: dict[Any, Recipe] = {}
    for job in jobs:
        encoder = getattr(job.subject, "encoder", "")
        names = tuple(name for name in job.proxies if name in SHARED)
        if not encoder or not names:
            found.jobs.append(job)
            continue
        # Of all subjects of a study it is the same.
        of_study = (job.subject.space, job.subject.task, id(job.conditions), job.seed)
        if of_study not in recipes:
            recipe = unweighed(Recipe.of(job.subject, "swap", job.conditions, job.seed))
            recipes[of_study] = replace(recipe, variant=encoder)
        key = (job.subject.space, job.subject.name, job.seed, recipes[of_study])
        leader = leaders.get(key)
        if leader is None or not set(names) <= {*leader.proxies, "reg_swap"}:
            if "swap" in names:
                leaders.setdefault(key, job)
            found.jobs.append(job)
            continue
        of = (leader.subject.space, leader.subject.task, leader.subject.name, leader.seed)
        found.followers.setdefault(of, []).append(job._replace(proxies=names))
        rest = tuple(name for name in job.proxies if name not in SHARED)
        if rest:
            found.jobs.append(job._replace(proxies=rest))
    return found


def following(
    made: Sequence[Record], followers: dict[Of, list[Job]]
) -> tuple[list[Record], list[Job]]:
    """Return what follows from the records of a job, and which jobs are to be computed after all.

    Parameters
    ----------
    made
        The records of the job.
    followers
        See `Shared`; those of the job are taken out.
    """
    key = made[0].key
    scores = {record.key.proxy: record.score for record in made}
    swap = scores.get("swap")
    if swap is None:  # what else a follower of another job lacks
        return [], []
    jobs = followers.pop((key.space, key.task, key.arch, key.seed), [])
    if swap.value is None:  # its head may be at fault
        return [], jobs
    found: list[Record] = []
    again: list[Job] = []
    for job in jobs:
        own = {name: scores[name] for name in job.proxies if name != "reg_swap"}
        try:
            if "reg_swap" in job.proxies:
                own["reg_swap"] = _regularised(swap, job)
        except BadArgument:  # computing it says why
            again.append(job)
            continue
        found += records(job, own)
    return found, again


def _regularised(swap: Score, job: Job) -> Score:
    settings = job.conditions.settings
    assert swap.value is not None
    theta = job.subject.parameters() / 1000  # type: ignore[attr-defined]
    return replace(
        swap, value=log_regularised(swap.value, theta, settings["mu"], settings["sigma"])
    )
