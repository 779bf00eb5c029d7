"""From a plan to the study that it describes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from naslib_swap import ground_truth, spaces
from naslib_swap.errors import BadArgument
from naslib_swap.evaluation.plan import Plan
from naslib_swap.ground_truth import GroundTruth
from naslib_swap.ground_truth.nasbench301_surrogate import Predictions
from naslib_swap.ground_truth.table import require_ranks
from naslib_swap.scoring.architecture import Architecture
from naslib_swap.scoring.study import Study, recipes_of, sample_architectures

_FEWEST_ARCHS = 3


def study_of(plan: Plan, *, elsewhere: bool = False) -> tuple[Study, GroundTruth]:
    """Check a plan, load its accuracies and draw its architectures.

    The proxies of the returned ground truth are those of the plan's ``stored`` source. `elsewhere`
    is for `study_with`.

    Raises
    ------
    SwapError
        As `study_with`; an unknown source of accuracies, more architectures than there are,
        fewer than three with an accuracy, accuracies that are all equal.
    """
    _check(plan, elsewhere)
    truth = plan.accuracies()
    if plan.stored is not None:
        scored = ground_truth.load(plan.stored, space=plan.space, task=plan.task)
        truth = replace(truth, proxies=scored.proxies)
    known = _known(truth, plan)
    if len(known) < _FEWEST_ARCHS:
        source = f"an accuracy in {plan.truth_file or plan.truth_source()}"
        asked = source if plan.stored is None else f"{source} and a score in {plan.stored}"
        raise BadArgument(
            f"got {len(known)} architectures with {asked}, expected at least {_FEWEST_ARCHS}: a "
            "correlation needs them."
        )
    archs = sample_architectures(known, plan.archs, seed=0)
    require_ranks(archs, truth.accuracy)
    return study_with(plan, archs, elsewhere=elsewhere), truth


def study_with(plan: Plan, archs: Sequence[str], *, elsewhere: bool = False) -> Study:
    """Check a plan and make its study of given architectures.

    Parameters
    ----------
    plan
        What is wanted.
    archs
        Architectures in any notation that the space knows.
    elsewhere
        Other machines score, so that this one need not have the device.

    Raises
    ------
    SwapError
        As `ScoringPlan.check` and `conditions_for`; an unknown proxy; images that cannot be loaded.
    """
    _check(plan, elsewhere)
    names, _ = plan.columns()
    study = Study(
        space=plan.space,
        task=plan.task,
        subjects={a: Architecture(plan.space, plan.task, a, plan.variant) for a in archs},
        proxies=names,
        seeds=tuple(range(plan.seeds)),
        conditions=plan.conditions(names),
    )
    recipes_of(study)  # loads the inputs, and complains now rather than later
    return study


def _check(plan: Plan, elsewhere: bool) -> None:
    plan.check(elsewhere=elsewhere)
    plan.columns()


def checked_together(studies: Sequence[Study]) -> None:
    """Raise BadArgument where two studies of one run are about the same task."""
    seen = [(study.space, study.task) for study in studies]
    twice = {name for name in seen if seen.count(name) > 1}
    if twice:
        raise BadArgument(
            f"{', '.join('/'.join(t) for t in sorted(twice))} is there twice, expected each task "
            "once."
        )


def _known(truth: GroundTruth, plan: Plan) -> tuple[str, ...]:
    """Return architectures to draw from: with an accuracy and, where asked for, stored scores."""
    if plan.stored is not None:
        scored = dict.fromkeys(a for values in truth.proxies.values() for a in values)
        return tuple(arch for arch in scored if arch in truth.accuracy)
    if isinstance(truth.accuracy, Predictions):
        return _random_architectures(plan)
    return tuple(truth.accuracy)


def _random_architectures(plan: Plan) -> tuple[str, ...]:
    """Draw architectures of a space, for accuracies that are predicted for any of them."""
    if plan.archs is None:
        raise BadArgument(
            f"{plan.truth_source()} predicts the accuracy of any architecture, so there is no all; "
            "give a number of --archs."
        )
    space, rng = spaces.get(plan.space), np.random.default_rng(5)
    found: dict[str, None] = {}
    while len(found) < plan.archs:
        found[space.encode(space.sample(rng))] = None
    return tuple(found)
