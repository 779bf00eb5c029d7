"""What a user asks for, as plain options, and the studies that it amounts to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from naslib_swap import ground_truth, spaces
from naslib_swap.errors import SwapError
from naslib_swap.evaluation.study import (
    InputsSpec,
    Study,
    regularisation_of,
    sample_architectures,
)
from naslib_swap.ground_truth import GroundTruth
from naslib_swap.predictors import registry
from naslib_swap.regularisation import DEFAULT_RULE, RULES, Regularisation
from naslib_swap.spaces.tasks import get_task

DEFAULT_TRUTHS = {"darts": "darts1000"}


@dataclass(frozen=True)
class Plan:
    """One task of one space, and how to compare proxies on it. The options of ``table``.

    ``truth`` None takes the source that fits the space; ``archs`` None takes every architecture
    whose accuracy is known; ``mu`` and ``sigma`` None derives them by ``rule``.
    """

    space: str = "nasbench201"
    task: str = "cifar10"
    truth: str | None = None
    truth_file: str | None = None
    archs: int | None = 200
    proxies: tuple[str, ...] = ()
    seeds: int = 1
    inputs: str = "natural"
    inputs_path: str | None = None
    order: str = "first"
    samples: int = 16
    repeats: int = 0
    batch_repeats: int = 1
    variant: str | None = None
    mu: float | None = None
    sigma: float | None = None
    rule: str = DEFAULT_RULE
    device: str = "cpu"


def study_of(plan: Plan) -> tuple[Study, GroundTruth]:
    """Check a plan, load its accuracies and draw its architectures.

    Raises
    ------
    SwapError
        Unknown space, task, proxy, rule or source; an impossible number of seeds or architectures;
        only one of mu and sigma.
    """
    space = spaces.get(plan.space)
    spec = get_task(plan.space, plan.task)
    if plan.variant is not None and plan.variant not in space.variants:
        raise SwapError(
            f"got variant {plan.variant!r}, expected one of {', '.join(space.variants)} for "
            f"{plan.space}."
        )
    proxies = plan.proxies or registry.names()
    for name in proxies:
        registry.get(name)
    if plan.seeds < 1:
        raise SwapError(f"got {plan.seeds} seeds, expected at least 1.")
    truth = ground_truth.load(
        _truth_source(plan), space=plan.space, task=plan.task, path=plan.truth_file
    )
    archs = sample_architectures(tuple(truth.accuracy), plan.archs, seed=0)
    regularisation = _regularisation(plan, spec.variant)
    study = Study(
        space=plan.space,
        task=plan.task,
        archs=archs,
        proxies=tuple(dict.fromkeys(proxies)),
        seeds=tuple(range(plan.seeds)),
        inputs=InputsSpec(plan.inputs, plan.samples, plan.inputs_path, plan.order),
        settings={
            "repeats": plan.repeats,
            "batch_repeats": plan.batch_repeats,
            "mu": regularisation.mu,
            "sigma": regularisation.sigma,
        },
        variant=plan.variant,
        device=plan.device,
    )
    return study, truth


def plans_from_yaml(path: Path, base: Mapping[str, Any] | None = None) -> list[Plan]:
    """Read plans from a YAML file: shared options at the top, one entry a task under ``tasks``.

    Raises
    ------
    SwapError
        The file is missing or no YAML mapping, or has a key that no option has.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SwapError(f"cannot read the configuration {path}: {error}") from None
    if not isinstance(content, dict):
        raise SwapError(f"{path} holds {type(content).__name__}, expected options by name.")
    tasks = content.pop("tasks", [{}])
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise SwapError(f"{path}: expected `tasks` to be a list of options by name.")
    shared = {**(base or {}), **content}
    return [plan_of({**shared, **task}, str(path)) for task in tasks]


def plan_of(options: Mapping[str, Any], where: str) -> Plan:
    """Make a plan from options by name; SwapError names a key that there is not."""
    known = [field.name for field in fields(Plan)]
    unknown = [key for key in options if key not in known]
    if unknown:
        raise SwapError(
            f"{where}: unknown option(s) {', '.join(unknown)}, expected {', '.join(known)}."
        )
    given = dict(options)
    proxies = given.get("proxies", ())
    if isinstance(proxies, str):
        proxies = proxies.replace(",", " ").split()
    given["proxies"] = () if list(proxies) == ["all"] else tuple(proxies)
    return Plan(**given)


def _truth_source(plan: Plan) -> str:
    if plan.truth is not None:
        return plan.truth
    if plan.truth_file is not None:
        return "csv"
    if (plan.space, plan.task) == ("nasbench201", "cifar10"):
        return "analog"
    return DEFAULT_TRUTHS.get(plan.space, "suite-zero")


def _regularisation(plan: Plan, task_variant: str | None) -> Regularisation:
    if plan.rule not in RULES:
        raise SwapError(f"got rule {plan.rule!r}, expected one of {', '.join(RULES)}.")
    if (plan.mu is None) != (plan.sigma is None):
        raise SwapError(
            f"got mu={plan.mu} and sigma={plan.sigma}, expected both or neither (thousands of "
            "parameters)."
        )
    if plan.mu is not None and plan.sigma is not None:
        found = Regularisation(plan.mu, plan.sigma)
        found.log_factor(plan.mu)
        return found
    return regularisation_of(
        plan.space, plan.task, variant=plan.variant or task_variant, rule=plan.rule
    )


def checked_together(studies: Sequence[Study]) -> None:
    """SwapError where two studies of one run are about the same task."""
    seen = [(study.space, study.task) for study in studies]
    twice = {name for name in seen if seen.count(name) > 1}
    if twice:
        raise SwapError(
            f"{', '.join('/'.join(t) for t in sorted(twice))} stands twice, expected each task "
            "once. Use separate output folders."
        )
