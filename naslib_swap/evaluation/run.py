"""Scoring many architectures: only what is missing, in parallel, stored as it comes.

Scores are bit-identical whatever the order, the number of workers or the backend: each
architecture is scored by one thread, its weights are drawn from (seed, space, architecture), and
the minibatch from (seed, inputs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import joblib
import torch

from naslib_swap import inputs, spaces
from naslib_swap.errors import SwapError
from naslib_swap.evaluation.store import ScoreStore
from naslib_swap.evaluation.study import (
    InputsSpec,
    Job,
    Study,
    derived_seed,
    settings_id,
    settings_of,
)
from naslib_swap.inputs import Minibatch
from naslib_swap.predictors.probe import Probe
from naslib_swap.predictors.scoring import score_network
from naslib_swap.spaces.tasks import get_task

Key = tuple[str, str, str, str, int, str]


@lru_cache(maxsize=16)
def minibatch_of(
    spec: InputsSpec, shape: tuple[int, ...], num_classes: int, seed: int
) -> Minibatch:
    """Load the minibatch of a study under a seed; kept, since every architecture sees it."""
    return inputs.load(
        spec.source,
        samples=spec.samples,
        shape=shape,
        num_classes=num_classes,
        seed=seed,
        path=spec.path,
        order=spec.order,
    )


def study_minibatch(study: Study, seed: int) -> Minibatch:
    """The minibatch on which a study scores under a seed."""
    spec = get_task(study.space, study.task)
    return minibatch_of(study.inputs, spec.input_shape, spec.num_classes, seed)


def missing_jobs(study: Study, stored: Iterable[dict[str, Any]]) -> list[Job]:
    """What a study still lacks, given the records already stored."""
    done = {key_of(record) for record in stored}
    jobs = []
    alone = replace(study, archs=())  # a job travels to its worker without the others' names
    for seed in study.seeds:
        digest = study_minibatch(study, seed).digest
        ids = {p: settings_id(settings_of(study, p, digest)) for p in study.proxies}
        for arch in study.archs:
            lacking = tuple(
                p
                for p in study.proxies
                if (study.space, study.task, arch, p, seed, ids[p]) not in done
            )
            if lacking:
                jobs.append(Job(alone, arch, seed, lacking))
    return jobs


def key_of(record: dict[str, Any]) -> Key:
    """The fields that identify a stored score."""
    return (
        record["space"],
        record["task"],
        record["arch"],
        record["proxy"],
        record["seed"],
        record["settings_id"],
    )


def score_job(job: Job) -> list[dict[str, Any]]:
    """Build and score one architecture; one record a proxy, failures included."""
    torch.set_num_threads(1)
    study, spec = job.study, get_task(job.study.space, job.study.task)
    space = spaces.get(study.space)
    arch = space.parse(job.arch)
    minibatch = study_minibatch(study, job.seed)
    weights = derived_seed(job.seed, study.space, job.arch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights)
        net = space.build(
            arch,
            variant=study.variant or spec.variant,
            num_classes=spec.num_classes,
            in_channels=spec.in_channels,
        )
    probe = Probe(
        net.to(study.device),
        minibatch,
        seed=weights,
        num_classes=spec.num_classes,
        settings={**study.settings, "depth": space.depth(arch)},
    )
    scores = score_network(probe, job.proxies)
    records = []
    for proxy, score in scores.items():
        settings = settings_of(study, proxy, minibatch.digest)
        records.append(
            {
                "space": study.space,
                "task": study.task,
                "arch": job.arch,
                "proxy": proxy,
                "seed": job.seed,
                "value": score.value,
                "saturation": score.saturation,
                "seconds": round(score.seconds, 6),
                "error": score.error,
                "settings_id": settings_id(settings),
                "settings": settings,
            }
        )
    return records


def run(
    studies: Iterable[Study],
    store: ScoreStore,
    *,
    workers: int = 1,
    backend: str = "loky",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Score what the studies lack and append it to the store; return the number of jobs done.

    ``progress`` is called with the jobs done and the jobs there are. ``workers=1`` runs in this
    process, more run through joblib.
    """
    if workers < 1:
        raise SwapError(f"got {workers} workers, expected at least 1.")
    stored = list(store.records())
    jobs = [job for study in studies for job in missing_jobs(study, stored)]
    progress(0, len(jobs))
    for done, records in enumerate(_results(jobs, workers, backend), 1):
        store.append(records)
        progress(done, len(jobs))
    return len(jobs)


def _results(jobs: list[Job], workers: int, backend: str) -> Iterator[list[dict[str, Any]]]:
    if workers == 1 or len(jobs) < 2:
        threads = torch.get_num_threads()
        try:
            yield from map(score_job, jobs)
        finally:
            torch.set_num_threads(threads)
        return
    parallel = joblib.Parallel(
        n_jobs=min(workers, len(jobs)), backend=backend, return_as="generator_unordered"
    )
    yield from parallel(joblib.delayed(score_job)(job) for job in jobs)
