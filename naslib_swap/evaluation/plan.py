"""What a user asks for, as plain options, and the studies that it amounts to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from naslib_swap import ground_truth, spaces
from naslib_swap.devices import malformed, refusal
from naslib_swap.errors import SwapError
from naslib_swap.evaluation import configuration
from naslib_swap.scoring.job import digests_of
from naslib_swap.scoring.study import (
    InputsSpec,
    Study,
    regularisation_of,
    require_ranks,
    sample_architectures,
)
from naslib_swap.ground_truth import GroundTruth
from naslib_swap.ground_truth.nasbench301_surrogate import Predictions
from naslib_swap.predictors import registry
from naslib_swap.regularisation import DEFAULT_RULE, RULES, Regularisation
from naslib_swap.spaces.tasks import get_task

DEFAULT_TRUTHS = {"darts": "darts1000"}

# One image has one pattern whatever the network: there must be two for scores to differ.
_LEAST = {"seeds": 1, "samples": 2, "top": 1, "repeats": 0, "batch_repeats": 1}
_FEWEST_ARCHS = 3


@dataclass(frozen=True)
class Plan:
    """One task of one space, and how to compare proxies on it. The options of ``table``.

    ``truth`` None takes the source that fits the space; ``stored`` names a source of proxies
    already scored, and only architectures that it holds are taken; None takes what comes with the
    accuracies; ``archs`` None takes every architecture whose accuracy is known; ``proxies`` empty
    takes all; ``mu`` and ``sigma`` None derives them by ``rule``; ``top`` is the k of nDCG and
    regret.
    """

    space: str = "nasbench201"
    task: str = "cifar10"
    truth: str | None = None
    truth_file: str | None = None
    stored: str | None = None
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
    top: int = 10
    device: str = "cpu"


def study_of(plan: Plan, *, elsewhere: bool = False) -> tuple[Study, GroundTruth]:
    """Check a plan, load its accuracies and draw its architectures.

    The proxies of the returned ground truth are the plan's ``stored`` ones. ``elsewhere`` is for
    `study_with`.

    Raises
    ------
    SwapError
        As `study_with`; an unknown source of accuracies, more architectures than there are,
        fewer than three with an accuracy, accuracies that are all equal.
    """
    _check(plan, elsewhere)
    truth = truth_of(plan)
    if plan.stored is not None:
        scored = ground_truth.load(plan.stored, space=plan.space, task=plan.task)
        truth = replace(truth, proxies=scored.proxies)
    known = _known(truth, plan)
    if len(known) < _FEWEST_ARCHS:
        raise SwapError(
            f"got {len(known)} architectures with {_asked_of(plan)}, expected at least "
            f"{_FEWEST_ARCHS}: a correlation needs them."
        )
    archs = sample_architectures(known, plan.archs, seed=0)
    require_ranks(archs, truth.accuracy)
    return study_with(plan, archs, elsewhere=elsewhere), truth


def study_with(plan: Plan, archs: Sequence[str], *, elsewhere: bool = False) -> Study:
    """Check a plan and make its study of given architectures (canonical strings).

    ``elsewhere``: other machines score, so that this one need not have the device.

    Raises
    ------
    SwapError
        Unknown space, task, variant, proxy or rule; an impossible number of seeds or samples; a
        device that there is not, or that cannot be used here; only one of mu and sigma; images that
        cannot be loaded.
    """
    _check(plan, elsewhere)
    regularisation = _regularisation(plan, get_task(plan.space, plan.task).variant)
    study = Study(
        space=plan.space,
        task=plan.task,
        archs=tuple(archs),
        proxies=tuple(dict.fromkeys(plan.proxies or registry.names())),
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
    for seed in study.seeds:
        digests_of(study, seed)
    return study


def truth_of(plan: Plan) -> GroundTruth:
    """Load the accuracies that a plan names, or those that fit its space."""
    return ground_truth.load(
        _truth_source(plan), space=plan.space, task=plan.task, path=plan.truth_file
    )


def _check(plan: Plan, elsewhere: bool) -> None:
    space = spaces.get(plan.space)
    get_task(plan.space, plan.task)
    if plan.variant is not None and plan.variant not in space.variants:
        raise SwapError(
            f"got variant {plan.variant!r}, expected one of {', '.join(space.variants)} for "
            f"{plan.space}."
        )
    for name in plan.proxies:
        registry.get(name)
    for option, least in _LEAST.items():
        if getattr(plan, option) < least:
            raise SwapError(f"got {option} {getattr(plan, option)}, expected at least {least}.")
    _check_device(plan.device, elsewhere)


def _check_device(device: str, elsewhere: bool) -> None:
    error = malformed(device) if elsewhere else refusal(device)
    if error is not None:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise SwapError(
            f"cannot use the device {device!r}: {reason}. Expected cpu, or cuda where there is a "
            "GPU and a PyTorch built for it."
        )
    if torch.device(device).type == "meta":
        raise SwapError(f"got the device {device!r}, expected cpu or cuda.")


def plans_from_config(config: str, given: Mapping[str, Any] | None = None) -> list[Plan]:
    """Read plans from YAML: shared options at the top, one entry a task under ``tasks``.

    ``config`` is the path of a file or the name of a packaged one (`config_names`). Options in
    ``given`` win over the file's, for every task; ``space`` and ``task`` among them choose from the
    tasks of a file that lists several.

    Raises
    ------
    SwapError
        The file is missing or no YAML mapping, has a key or a kind of value that no option has, or
        none of its tasks is chosen.
    """
    content = configuration.read(config, "table", f"the configuration {config}")
    options = dict(given or {})
    tasks = content.pop("tasks", None)
    if tasks is None:
        return [plan_of({**content, **options}, config)]
    if not isinstance(tasks, list) or not tasks or not all(isinstance(t, dict) for t in tasks):
        raise SwapError(f"{config}: expected `tasks` to be a list of options by name.")
    chosen: dict[str, Any] = {
        name: options.pop(name) for name in ("space", "task") if name in options
    }
    plans = [plan_of({**content, **task, **options}, config) for task in tasks]
    kept = [p for p in plans if all(getattr(p, n) == value for n, value in chosen.items())]
    if not kept:
        raise SwapError(
            f"{config} has no task with {_listed(chosen)}; it holds "
            f"{', '.join(f'{p.space}/{p.task}' for p in plans)}."
        )
    return kept


def config_names() -> tuple[str, ...]:
    """Names of the packaged configurations."""
    return configuration.names("table")


def plan_of(options: Mapping[str, Any], where: str) -> Plan:
    """Make a plan from options by name; SwapError names a key that there is not.

    ``proxies`` may be text with commas or a list, ``archs`` and ``proxies`` may be ``all``.
    """
    kinds = {field.name: str(field.type) for field in fields(Plan)}
    unknown = [key for key in options if key not in kinds]
    if unknown:
        raise SwapError(
            f"{where}: unknown option(s) {', '.join(map(str, unknown))}, expected "
            f"{', '.join(kinds)}."
        )
    given = dict(options)
    if "proxies" in given:
        given["proxies"] = _proxies(given["proxies"], where)
    if "archs" in given:
        given["archs"] = _count(given["archs"], where)
    for name, value in given.items():
        if not _fits(value, kinds[name]):
            raise SwapError(f"{where}: got {name} {value!r}, expected {kinds[name]}.")
    return Plan(**given)


def _proxies(value: Any, where: str) -> tuple[str, ...]:
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(n, str) for n in names):
        raise SwapError(f"{where}: got proxies {value!r}, expected names, or all.")
    if not names:
        raise SwapError(f"{where}: got no proxies, expected names, or all.")
    return () if list(names) == ["all"] else tuple(names)


def _count(value: Any, where: str) -> int | None:
    if value in ("all", None):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    raise SwapError(f"{where}: got archs {value!r}, expected a whole number, or all.")


_KINDS: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "None": (type(None),),
    "tuple[str, ...]": (tuple,),
}


def _fits(value: Any, kind: str) -> bool:
    allowed = tuple(t for name in kind.split(" | ") for t in _KINDS[name])
    return isinstance(value, allowed) and not isinstance(value, bool)


def _truth_source(plan: Plan) -> str:
    if plan.truth is not None:
        return plan.truth
    if plan.truth_file is not None:
        return "csv"
    if (plan.space, plan.task) == ("nasbench201", "cifar10"):
        return "analog"
    return DEFAULT_TRUTHS.get(plan.space, "suite-zero")


def _known(truth: GroundTruth, plan: Plan) -> tuple[str, ...]:
    """Architectures to draw from: with an accuracy and, where asked for, stored scores."""
    if plan.stored is not None:
        scored = dict.fromkeys(a for values in truth.proxies.values() for a in values)
        return tuple(arch for arch in scored if arch in truth.accuracy)
    if isinstance(truth.accuracy, Predictions):
        return _random_architectures(plan)
    return tuple(truth.accuracy)


def _random_architectures(plan: Plan) -> tuple[str, ...]:
    """Draw architectures of a space, for accuracies that are predicted for any of them."""
    if plan.archs is None:
        raise SwapError(
            f"{_truth_source(plan)} predicts the accuracy of any architecture, so there is no all; "
            "give a number of --archs."
        )
    space, rng = spaces.get(plan.space), np.random.default_rng(5)
    found: dict[str, None] = {}
    while len(found) < plan.archs:
        found[space.encode(space.sample(rng))] = None
    return tuple(found)


def _asked_of(plan: Plan) -> str:
    source = f"an accuracy in {plan.truth_file or _truth_source(plan)}"
    return source if plan.stored is None else f"{source} and a score in {plan.stored}"


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


def _listed(options: Mapping[str, Any]) -> str:
    return " and ".join(f"{name} {value!r}" for name, value in options.items())
