"""Scoring one subject: what every door does, and every worker."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from naslib_swap import __version__, spaces
from naslib_swap import proxies as registry
from naslib_swap.errors import BadArgument, BadFile, LostWorker, Unscorable
from naslib_swap.scoring.architecture import Architecture
from naslib_swap.scoring.conditions import Conditions, conditions_for
from naslib_swap.scoring.network import failure, score_network
from naslib_swap.scoring.recipe import Recipe
from naslib_swap.scoring.record import Key, Record, Score
from naslib_swap.seeding import one_thread

if TYPE_CHECKING:
    from naslib_swap.proxies import Proxy
    from naslib_swap.scoring.subject import Subject
    from naslib_swap.spaces import SearchSpace

# Torch's generators belong to the process: threads of one (a Dask worker's, say) must not draw
# from them at the same time.
_ALONE = threading.Lock()


def score(
    subject: Subject,
    proxies: Sequence[str],
    conditions: Conditions | None = None,
    *,
    seed: int = 0,
) -> dict[str, Score]:
    """Score one subject by some proxies, in one thread.

    A score depends on subject, proxy, conditions and seed alone.

    Parameters
    ----------
    subject
        What is scored, such as an `Architecture`.
    proxies
        Their names.
    conditions
        None takes, for an architecture, what every command takes (`conditions_for`).
    seed
        Of weights, inputs and whatever else is random.

    Returns
    -------
    dict
        A score for each name. Whatever goes wrong with the network is in its ``error``.

    Raises
    ------
    SwapError
        An unknown proxy, a text that is no architecture, inputs that cannot be loaded.
    OSError
        Where the machine is at fault, not the network.

    Examples
    --------
    >>> subject = Architecture("nasbench201", "cifar10", "(0, 2, 3, 2, 3, 1)")
    >>> score(subject, ["depth"])["depth"].value
    21.0
    """
    if conditions is None:
        if not isinstance(subject, Architecture):
            raise BadArgument(f"got no conditions for {subject.name}, expected some.")
        conditions = conditions_for(
            subject.space, subject.task, variant=subject.chosen, names=proxies
        )
    found = [subject.proxy(name) for name in proxies]
    with _ALONE, one_thread():
        conditions.inputs.batch(subject.takes, seed)  # no fault of the network
        try:
            probe = subject.probe(conditions, seed)
        except (Unscorable, MemoryError, RuntimeError) as error:
            return dict.fromkeys(proxies, failure(error))
        return score_network(probe, found)


class Job(NamedTuple):
    """One subject under one seed, and the proxies that it still lacks.

    Attributes
    ----------
    subject, seed, proxies, conditions
        What is scored, and how.
    digests
        Identifies the inputs: a worker that has other inputs must not score on them.
    registered
        Proxies and spaces that were added by hand, so that the worker knows them.
    version
        Of this package: a worker that has another must not score.
    """

    subject: Subject
    seed: int
    proxies: tuple[str, ...]
    conditions: Conditions
    digests: str
    registered: tuple[tuple[Proxy, ...], tuple[SearchSpace, ...]] = ((), ())
    version: str = __version__


def score_job(job: Job) -> list[Record]:
    """Score a job's subject; one record per proxy.

    Raises
    ------
    BadFile
        If the inputs here are not those that the job was made for.
    LostWorker
        If this package is of another version here than where the job was made.
    """
    if job.version != __version__:
        raise LostWorker(
            f"a worker has naslib-swap {__version__}, expected {job.version} as where the run was "
            "started: its scores would not be the same. Install that there."
        )
    for proxy in job.registered[0]:
        registry.PROXIES.adopt(proxy)
    for space in job.registered[1]:
        spaces.SPACES.adopt(space)
    found = str(job.conditions.inputs.digests(job.subject.takes, job.seed))
    if found != job.digests:
        raise BadFile(
            f"{job.conditions.inputs.source} inputs here have the digest {found}, expected "
            f"{job.digests}, as where the run was started. Give every worker the same files."
        )
    return records(job, score(job.subject, job.proxies, job.conditions, seed=job.seed))


def failed(job: Job, reason: str) -> list[Record]:
    """Return records that say for every proxy of a job why there is no score."""
    return records(job, dict.fromkeys(job.proxies, Score(None, error=reason)))


def records(job: Job, scores: dict[str, Score]) -> list[Record]:
    """Return the scores of a job as a store keeps them."""
    subject, made = job.subject, []
    for name, found in scores.items():
        recipe = Recipe.of(subject, name, job.conditions, job.seed)
        key = Key(subject.space, subject.task, subject.name, name, job.seed, recipe.id)
        made.append(Record(key, found, recipe))
    return made
