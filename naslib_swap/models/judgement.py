"""What a comparison is worth: the bound, the noise, and whether the models are alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from naslib_swap.models.measure import ModelScore
from naslib_swap.score import SwapScore

_FEWEST = 5
"""Models, before a rank correlation within the set is worth a sentence."""

_SAME = 0.95
"""From this rank correlation on, two columns rank alike."""

_LEVEL = 0.95


def ranked(values: Sequence[Sequence[float]]) -> list[tuple[int, bool]]:
    """Return the rank of each model, and whether it shares it with one that it is not told from.

    Parameters
    ----------
    values
        Scores of each model over draws.

    Returns
    -------
    list of (int, bool)
        One more than the number of models that are better; and whether there is another whose mean
        differs by no more than chance (Welch's test at 95 %; of single draws, by nothing).

    Examples
    --------
    >>> ranked([[5.0], [3.0], [3.0]])
    [(1, False), (2, True), (2, True)]
    """
    found = []
    for number, mine in enumerate(values):
        others = [other for place, other in enumerate(values) if place != number]
        better = sum(_better(other, mine) for other in others)
        tied = any(not _better(other, mine) and not _better(mine, other) for other in others)
        found.append((better + 1, tied))
    return found


def _better(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the mean of one is above that of the other by more than chance."""
    a, b = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    difference = a.mean() - b.mean()
    if len(a) < 2 or len(b) < 2:
        return bool(difference > 0)
    shares = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    if sum(shares) == 0:
        return bool(difference > 0)
    from scipy.stats import t

    freedom = sum(shares) ** 2 / (shares[0] ** 2 / (len(a) - 1) + shares[1] ** 2 / (len(b) - 1))
    return bool(difference > t.ppf((1 + _LEVEL) / 2, freedom) * math.sqrt(sum(shares)))


def near_bound(scored: Sequence[ModelScore]) -> str:
    """Name the models near their bound; empty where there are none."""
    names = [one.name for one in scored if one.near_bound]
    if not names:
        return ""
    # Where all values differ, more samples do not help: the score is V.
    full = [one for one in scored if one.near_bound and is_full(one.swap)]
    remedy = "take more samples (--samples auto), or --repeats 32"
    if full and len(full) == len(names):
        remedy = "nearly every value has a pattern of its own: take fewer samples"
    told = [f"{one.name} ({_share(one):.0%})" for one in scored if one.near_bound]
    return f"Near the bound, where a score tells little: {listed(told)}; {remedy}."


def is_full(swap: SwapScore) -> bool:
    """Whether a score near its bound is there because nearly all values differ."""
    return all(kind.ceiling == kind.values for kind in swap.kinds.values())


def _share(one: ModelScore) -> float:
    """Return the share of what can be expected, of the kind of sign that is nearest to it."""
    shares = (kind.saturation for draw in one.draws for kind in draw.kinds.values())
    return min(shares, key=lambda share: abs(share - 1))


def noise(scored: Sequence[ModelScore], ranks: Sequence[tuple[int, bool]]) -> str:
    """Say how far ranks are noise; empty for a single model."""
    if len(scored) < 2:
        return ""
    times = len(scored[0].drawn)
    if times < 2:
        return "One draw of weights: --draws 5 shows which ranks are noise."
    tied = sum(shared for _, shared in ranks)
    if not tied:
        return f"All ranks differ by more than chance (95 %, {times} draws)."
    return f"Ranks with = are not told apart by {times} draws (95 %): {tied} of {len(scored)}."


def alike(scored: Sequence[ModelScore]) -> str:
    """Say in one line whether the set is alike enough for its ranking to mean something."""
    if len(scored) < 2:
        return "Alone, a score means nothing: compare several models on the same inputs."
    against = []
    if len({one.digest for one in scored}) > 1:
        kinds = list(dict.fromkeys(one.inputs for one in scored))
        against.append(
            f"inputs differ ({listed(kinds, 3)}; --input-shape or --input-file gives all the same)"
        )
    signs = {frozenset(one.swap.kinds) for one in scored}
    if len(signs) > 1:
        against.append(
            "some activations have two signs and some three (ReLU, and GELU or the like)"
        )
    families = list(dict.fromkeys(one.family for one in scored))
    if len(families) > 1:
        against.append(f"{len(families)} families ({listed(families, 4)})")
    told = correlations(scored)
    if against:
        return (
            f"Not alike: {'; '.join(against)}. Across families SWAP ranks no better than size "
            f"(docs/models.md): do not trust this order.{told}"
        )
    return f"Alike: one family ({families[0]}), the same inputs.{told}"


def correlations(scored: Sequence[ModelScore]) -> str:
    """Say how SWAP's ranks go with those of V and of size, in this set."""
    if len(scored) < _FEWEST:
        return ""
    score = np.array([one.score for one in scored])
    columns = {
        "V": [one.swap.values for one in scored],
        "#params": [one.swap.parameters for one in scored],
        "MACs": [math.nan if one.macs is None else one.macs for one in scored],
    }
    from naslib_swap.evaluation.statistics import spearman  # scipy starts slowly

    found = {
        name: r
        for name, values in columns.items()
        if np.isfinite(r := spearman(score, np.array(values, dtype=float)))
    }
    if not found:
        return ""
    said = f" Spearman of SWAP with {', '.join(f'{n} {r:.2f}' for n, r in found.items())}"
    same = [name for name, r in found.items() if r >= _SAME]
    if same:
        return f"{said}: it ranks these as {same[0]} does, and says no more."
    return f"{said} (n = {len(scored)})."


def listed(names: Sequence[str], most: int = 6) -> str:
    """Return names in a row, the first few of them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
