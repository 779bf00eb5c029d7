"""SWAP-Score in front of other search paradigms (arXiv 2605.07378, section IV-D).

`prescreen` selects a few architectures for a method that trains, or for one-shot methods.
`pseudo_labels` gives a predictor many cheap labels to learn from before it sees the first accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import numpy as np

from naslib_swap.errors import BadArgument
from naslib_swap.optimizers.evolution import Candidate, Evolution, EvolutionSettings, Mapper, each
from naslib_swap.optimizers.fitness import Scored, SizeWeighting, fitness
from naslib_swap.spaces.space import Moves

_UNWEIGHED = SizeWeighting("none")


def prescreen(
    space: Moves,
    n: int,
    keep: int,
    *,
    measure: Callable[[Any], Scored],
    weighting: SizeWeighting = _UNWEIGHED,
    seed: int = 0,
    mapper: Mapper = map,
) -> list[Candidate]:
    """Score `n` different random architectures and keep the fittest.

    Parameters
    ----------
    space
        Where architectures come from.
    n
        How many are scored, at least 2.
    keep
        How many are returned.
    measure
        Gives score and size of one architecture, such as a `measuring.NetworkMeasure`.
    weighting
        How size enters the fitness.
    seed
        Of the draw.
    mapper
        `map`, or that of a pool of workers.

    Returns
    -------
    list of Candidate
        Best first.

    Raises
    ------
    BadArgument
        `keep` is not in 1..n; the space has fewer than `n` architectures.
    """
    if not 1 <= keep <= n:
        raise BadArgument(f"got keep {keep}, expected between 1 and the number scored, {n}.")
    settings = EvolutionSettings(population=n, weighting=weighting)
    evolution = Evolution(space, each(measure, mapper), settings, seed)
    while not evolution.filled:  # others stand in for those that cannot be scored
        evolution.fill(n)
    return evolution.top(keep)


def pseudo_labels(
    archs: Sequence[Any],
    *,
    measure: Callable[[Any], Scored],
    weighting: SizeWeighting = _UNWEIGHED,
    accuracies: Sequence[float] | None = None,
    mapper: Mapper = map,
) -> np.ndarray:
    """Return labels to train a predictor on, from scores instead of accuracies.

    Scores have the order of accuracies, not their scale; so only their order is kept. Without
    `accuracies` a label is the share of `archs` that score lower, in (0, 1). With them it is the
    corresponding quantile of `accuracies`, so that a predictor can go on with true labels.

    Parameters
    ----------
    archs
        What to label; N architectures, at least 2.
    measure
        Gives score and size of one architecture.
    weighting
        How size enters; adaptive means the moments of these N sizes.
    accuracies
        Some true accuracies, of any architectures of the space.
    mapper
        `map`, or that of a pool of workers.

    Returns
    -------
    ndarray
        float64 [N]; architectures of equal fitness get equal labels.

    Raises
    ------
    BadArgument
        Fewer than two architectures; no accuracies in `accuracies`.
    """
    if len(archs) < 2:
        raise BadArgument(f"got {len(archs)} architecture(s), expected at least 2 to put in order.")
    if accuracies is not None and not len(accuracies):
        raise BadArgument("got empty accuracies, expected at least one, or None.")
    measured = list(mapper(measure, archs))
    regularisation = weighting.of(measured)
    values = np.array([fitness(one, regularisation) for one in measured])
    order = np.sort(values)
    middle = (np.searchsorted(order, values) + np.searchsorted(order, values, side="right")) / 2
    shares = middle / len(values)
    return shares if accuracies is None else np.quantile(np.asarray(accuracies, float), shares)
