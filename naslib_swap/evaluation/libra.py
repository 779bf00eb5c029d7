"""LIBRA: three proxies chosen with accuracies, and judged on architectures they were not chosen on.

Casarin, Escalera and Lanz, L-SWAG, CVPR 2025, arXiv 2505.07300, algorithm 1. The paper leaves open
how scores are binned for entropies and how the three are merged: here into four bins of equal
numbers, and by the sum of log ranks, as all combinations are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from naslib_swap.combinations import Combination, signed
from naslib_swap.errors import BadArgument
from naslib_swap.evaluation.statistics import Vector, spearman

NAME = "libra"
TITLE = "LIBRA"
WINDOW = 0.1
BINS = 4
LEAST = 40
"""Architectures in all: half of them choose, and four bins of these must hold some."""


@dataclass(frozen=True)
class Choice:
    """What LIBRA took, and on which architectures.

    Attributes
    ----------
    combination
        The proxies, best first.
    chosen_on, held_out
        Architectures whose accuracies were used, and all others.
    """

    combination: Combination
    chosen_on: tuple[str, ...]
    held_out: tuple[str, ...]


def choose(
    scores: pd.DataFrame,
    accuracy: Mapping[str, float],
    proxies: Collection[str],
    *,
    seed: int = 0,
) -> Choice:
    """Choose three proxies with the accuracies of one random half of the architectures.

    Parameters
    ----------
    scores
        Rows with ``arch``, ``proxy``, ``seed`` and ``value``, of one task; means over seeds count.
    accuracy
        Accuracy of each architecture; higher is better.
    proxies
        The names to choose from; ``params`` is one of them.
    seed
        Draws the half.

    Raises
    ------
    BadArgument
        Without ``params``, with fewer than three proxies that have scores, or with fewer than 40
        architectures.
    """
    known = scores[scores["arch"].isin(accuracy.keys()) & scores["proxy"].isin(proxies)]
    wide = known.pivot_table(index="arch", columns="proxy", values="value").sort_index()
    if "params" not in wide or len(wide.columns) < 3 or len(wide) < LEAST:
        raise BadArgument(
            f"got {len(wide)} architectures with scores by {', '.join(wide) or 'no proxy'} for "
            f"LIBRA, expected at least {LEAST}, and three proxies with params among them."
        )
    drawn = np.random.default_rng(seed).permutation(len(wide))
    half = wide.iloc[np.sort(drawn[: len(wide) // 2])]
    rest = wide.index.difference(half.index)
    ranks = {str(name): _ranked(signed(half[name].to_numpy(float), str(name))) for name in half}
    truth = rankdata([accuracy[arch] for arch in half.index])
    members = three_of(ranks, truth)
    combination = Combination(NAME, TITLE, members, reference="arXiv 2505.07300, algorithm 1")
    return Choice(combination, tuple(half.index), tuple(rest))


def three_of(ranks: Mapping[str, Vector], truth: Vector) -> tuple[str, str, str]:
    """Choose three proxies by algorithm 1.

    The first has the highest Spearman correlation. The others come from those that are behind it by
    less than 0.1, or the next best where these are too few: the second is that which, given the
    first, tells the least about the accuracy; the third is as close to the size as the accuracy is.

    Parameters
    ----------
    ranks
        Ranks [n] by each proxy, higher is better; ``params`` among them.
    truth
        Ranks [n] by accuracy.
    """
    rho = {name: spearman(values, truth) for name, values in ranks.items()}
    order = sorted(ranks, key=lambda name: (-rho[name] if rho[name] == rho[name] else 2, name))
    first = order[0]
    near = [name for name in order[1:] if rho[name] > rho[first] - WINDOW]
    window = near if len(near) > 1 else order[1:3]
    gains = {name: information_gain(truth, ranks[first], ranks[name]) for name in window}
    second = min(window, key=lambda name: (gains[name], order.index(name)))
    bias = _pearson(truth, ranks["params"])
    third = min(
        (name for name in window if name != second),
        key=lambda name: (abs(bias - _pearson(ranks[name], ranks["params"])), order.index(name)),
    )
    return first, second, third


def information_gain(truth: Vector, first: Vector, other: Vector) -> float:
    """Return H(truth | first) - H(truth | first, other) in nats, all [n] ranks in four bins."""
    y, a, b = (_binned(values) for values in (truth, first, other))
    return (_entropy(y, a) - _entropy(a)) - (_entropy(y, a, b) - _entropy(a, b))


def _binned(ranks: Vector) -> Vector:
    bins: Vector = np.minimum((rankdata(ranks) - 1) * BINS // len(ranks), BINS - 1).astype(int)
    return bins


def _entropy(*columns: Vector) -> float:
    counts = np.unique(np.stack(columns), axis=1, return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _ranked(values: Vector) -> Vector:
    ranks: Vector = rankdata(np.where(np.isnan(values), -np.inf, values))
    return ranks


def _pearson(a: Vector, b: Vector) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
