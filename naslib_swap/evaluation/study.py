"""What is to be scored, as plain data: studies, and the jobs they consist of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from naslib_swap import spaces
from naslib_swap.errors import SwapError
from naslib_swap.predictors import registry
from naslib_swap.predictors.scoring import SCORES_VERSION
from naslib_swap.regularisation import DEFAULT_RULE, Regularisation, from_sizes
from naslib_swap.spaces.tasks import get_task


@dataclass(frozen=True)
class InputsSpec:
    """Where a minibatch comes from; see :func:`naslib_swap.inputs.load`."""

    source: str = "natural"
    samples: int = 16
    path: str | None = None
    order: str = "first"


class Digests(NamedTuple):
    """What identifies a minibatch: its pixels, and its labels where a user's file gives them.

    Those of a known data set follow from the pixels, drawn ones from the seed.
    """

    images: str
    labels: str | None = None


@dataclass(frozen=True)
class Study:
    """Architectures of one task of one space, to be scored by some proxies under some seeds.

    ``settings`` are what single proxies read (``repeats``, ``mu``, ``sigma``, ...). ``variant``
    names the network that is built; None takes the task's own.
    """

    space: str
    task: str
    archs: tuple[str, ...]
    proxies: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    inputs: InputsSpec = field(default_factory=InputsSpec)
    settings: Mapping[str, Any] = field(default_factory=dict)
    variant: str | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class Job:
    """One architecture under one seed, and the proxies it still lacks.

    ``digests`` identifies the minibatch: a worker that finds another must not score on it.
    """

    study: Study
    arch: str
    seed: int
    proxies: tuple[str, ...]
    digests: Digests


def settings_of(study: Study, proxy: str, digests: Digests) -> dict[str, Any]:
    """Everything beside architecture and seed that a stored score of this proxy depends on."""
    found = registry.get(proxy)
    common: dict[str, Any] = {
        "version": SCORES_VERSION,
        "variant": study.variant or get_task(study.space, study.task).variant,
        "inputs": study.inputs.source,
        "samples": study.inputs.samples,
        "digest": digests.images,
    }
    if digests.labels is not None and "labels" in found.needs:
        common["labels"] = digests.labels
    kind = study.device.split(":")[0]
    if kind != "cpu":  # other kernels add in another order; cpu goes without saying
        common["device"] = kind
    return {**common, **{k: study.settings[k] for k in sorted(found.reads) if k in study.settings}}


def settings_id(settings: Mapping[str, Any]) -> str:
    """Return a short name for settings: the same for the same settings, on any machine."""
    text = json.dumps(settings, sort_keys=True, default=float)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sample_architectures(known: Sequence[str], count: int | None, seed: int) -> tuple[str, ...]:
    """Draw ``count`` of the known architectures without replacement, in a fixed order.

    Raises
    ------
    SwapError
        If fewer are known than are asked for.
    """
    ordered = sorted(known)
    if count is None:
        return tuple(ordered)
    if not 3 <= count <= len(ordered):
        raise SwapError(
            f"got {count} architectures to sample, expected between 3 and the {len(ordered)} that "
            "are known, or all."
        )
    chosen = np.random.default_rng([seed, 2]).choice(len(ordered), size=count, replace=False)
    return tuple(ordered[i] for i in chosen)


def regularisation_of(
    space: str,
    task: str,
    *,
    variant: str | None = None,
    rule: str = DEFAULT_RULE,
    count: int = 1000,
    seed: int = 0,
) -> Regularisation:
    """Derive mu and sigma from the sizes of ``count`` randomly sampled architectures of a space.

    Label-free: neither accuracies nor the architectures under study are looked at.
    """
    found, spec = spaces.get(space), get_task(space, task)
    rng = np.random.default_rng([seed, 3])
    sizes = [
        found.parameters(
            found.sample(rng),
            variant=variant or spec.variant,
            num_classes=spec.num_classes,
            in_channels=spec.in_channels,
        )
        / 1000
        for _ in range(count)
    ]
    return from_sizes(sizes, rule)


def require_ranks(archs: Sequence[str], accuracy: Mapping[str, float]) -> None:
    """SwapError where all of these architectures have one accuracy."""
    if len({accuracy[arch] for arch in archs}) == 1:
        raise SwapError(
            f"got {len(archs)} architectures that all have the accuracy {accuracy[archs[0]]}, "
            "expected accuracies that differ: there is nothing to rank."
        )
