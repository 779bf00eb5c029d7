"""SWAP-Score in front of other search paradigms (arXiv 2605.07378, section IV-D).

`prescreen` hands a method that trains, or one-shot methods, a few architectures worth its time.
`pseudo_labels` gives a predictor many cheap labels to learn from before it sees the first accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from naslib_swap.errors import SwapError
from naslib_swap.optimizers.evolution import (
    Evolution,
    EvolutionSettings,
    Mapper,
    Measure,
    Moves,
    Record,
)
from naslib_swap.optimizers.fitness import SizeWeighting, fitness

_UNWEIGHED = SizeWeighting("none")


def prescreen(
    space: Moves,
    n: int,
    keep: int,
    *,
    measure: Measure,
    weighting: SizeWeighting = _UNWEIGHED,
    seed: int = 0,
    mapper: Mapper = map,
) -> list[Record]:
    """Score `n` different random architectures and keep the fittest.

    Args:
        space: where architectures come from.
        n: how many are scored, at least 2.
        keep: how many are returned, best first.
        measure: see `Evolution`.
        weighting: how size enters the fitness.
        seed: of the draw.
        mapper: `map`, or a pool of workers.

    Raises:
        SwapError: `keep` is not in 1..n; the space has fewer than `n` architectures.
    """
    if not 1 <= keep <= n:
        raise SwapError(f"keep {keep}: expected between 1 and the number scored, {n}")
    settings = EvolutionSettings(population=n, weighting=weighting)
    evolution = Evolution(space, measure, settings, seed, mapper=mapper)
    while not evolution.filled:  # others stand in for those that cannot be scored
        evolution.fill(n)
    return evolution.top(keep)


def pseudo_labels(
    archs: Sequence[Any],
    *,
    measure: Measure,
    weighting: SizeWeighting = _UNWEIGHED,
    accuracies: Sequence[float] | None = None,
    mapper: Mapper = map,
) -> np.ndarray:
    """Labels to train a predictor on, from scores instead of accuracies.

    Scores have the order of accuracies, not their scale; so only their order is kept. Without
    `accuracies` a label is the share of `archs` that score lower, in (0, 1). With them it is the
    corresponding quantile of `accuracies`, so that a predictor can go on with true labels.

    Args:
        archs: what to label; N architectures, at least 2.
        measure: see `Evolution`.
        weighting: how size enters; adaptive means the moments of these N sizes.
        accuracies: some true accuracies, of any architectures of the space.
        mapper: `map`, or a pool of workers.

    Returns:
        float64 [N]; architectures of equal fitness get equal labels.

    Raises:
        SwapError: fewer than two architectures; no accuracies in `accuracies`.
    """
    if len(archs) < 2:
        raise SwapError(f"{len(archs)} architectures: expected at least 2 to put in order")
    if accuracies is not None and not len(accuracies):
        raise SwapError("accuracies is empty: leave it out, or give at least one")
    measured = list(mapper(measure, archs))
    regularisation = weighting.of(measured)
    values = np.array([fitness(one, regularisation) for one in measured])
    order = np.sort(values)
    middle = (np.searchsorted(order, values) + np.searchsorted(order, values, side="right")) / 2
    shares = middle / len(values)
    return shares if accuracies is None else np.quantile(np.asarray(accuracies, float), shares)
