"""Scoring one architecture: what a worker does."""

from __future__ import annotations

import threading
from functools import cache, lru_cache
from typing import Any

import torch

from naslib_swap import inputs, spaces
from naslib_swap.errors import SwapError
from naslib_swap.evaluation.study import (
    Digests,
    InputsSpec,
    Job,
    Study,
    settings_id,
    settings_of,
)
from naslib_swap.inputs import Minibatch
from naslib_swap.inputs.minibatch import labels_digest
from naslib_swap.predictors.probe import Probe
from naslib_swap.predictors.proxy import ProxyScore
from naslib_swap.predictors.scoring import score_network
from naslib_swap.seeding import derived_seed, one_thread
from naslib_swap.spaces.tasks import get_task

# Weights are drawn from torch's global generator: threads of one process (a Dask worker's, say)
# must not draw from it at the same time.
_ALONE = threading.Lock()


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


@cache
def _digests(spec: InputsSpec, shape: tuple[int, ...], num_classes: int, seed: int) -> Digests:
    return _digests_of(spec, minibatch_of(spec, shape, num_classes, seed))


def _digests_of(spec: InputsSpec, minibatch: Minibatch) -> Digests:
    own = spec.path is not None or spec.source.lower() not in inputs.sources()
    labelled = own and minibatch.labels_are_real
    return Digests(minibatch.digest, labels_digest(minibatch.labels) if labelled else None)


def digests_of(study: Study, seed: int) -> Digests:
    """What identifies a study's minibatch under a seed; SwapError as for loading it."""
    spec = get_task(study.space, study.task)
    return _digests(study.inputs, spec.input_shape, spec.num_classes, seed)


def score_job(job: Job) -> list[dict[str, Any]]:
    """Build and score one architecture; one record a proxy.

    An architecture that cannot be built, or does not fit into memory, gives records with the
    reason in ``error``.

    Raises
    ------
    SwapError
        If the images or labels here are not those that the job was made for.
    """
    minibatch = study_minibatch(job.study, job.seed)
    found = _digests_of(job.study.inputs, minibatch)
    if found != job.digests:
        raise SwapError(
            f"{job.study.inputs.source} images here have the digest {_shown(found)}, expected "
            f"{_shown(job.digests)}, as where the run was started. Give every worker "
            "the same files."
        )
    with _ALONE, one_thread():
        try:
            scores = _scores(job, minibatch)
        except Exception as error:  # the network could not be built: every proxy failed
            return failed_records(job, f"{type(error).__name__}: {error}")
    return [_record(job, proxy, score) for proxy, score in scores.items()]


def _shown(digests: Digests) -> str:
    return digests.images if digests.labels is None else "/".join(map(str, digests))


def _scores(job: Job, minibatch: Minibatch) -> dict[str, ProxyScore]:
    study, spec = job.study, get_task(job.study.space, job.study.task)
    space = spaces.get(study.space)
    arch = space.parse(job.arch)
    weights = derived_seed(job.seed, study.space, job.arch)
    # Networks are built on the CPU, so its generator alone is seeded: torch.manual_seed would seed
    # those of all GPUs too, and to restore these every worker would have to open every GPU.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(weights)
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
    return score_network(probe, job.proxies)


def failed_records(job: Job, reason: str) -> list[dict[str, Any]]:
    """Records that say for every proxy of a job why there is no score."""
    return [_record(job, proxy, ProxyScore(None, 0.0, reason)) for proxy in job.proxies]


def _record(job: Job, proxy: str, score: ProxyScore) -> dict[str, Any]:
    settings = settings_of(job.study, proxy, job.digests)
    return {
        "space": job.study.space,
        "task": job.study.task,
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
