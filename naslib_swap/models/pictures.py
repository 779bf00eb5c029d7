"""A picture of compared models."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from naslib_swap.figures import empty_figure
from naslib_swap.quoting import brief

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from naslib_swap.models.comparison import ModelComparison

_OURS, _BOUND, _GRID = "#c2410c", "#a8a29e", "#e7e5e4"
_LONGEST = 40
"""Characters of a name."""


def scores(comparison: ModelComparison) -> Figure:
    """Draw each model's SWAP-Score with its spread, and its bound as a bar, best on top."""
    models = comparison.scored[::-1]
    figure = empty_figure(7, 1.2 + 0.32 * max(1, len(models)), layout="constrained")
    axes = figure.subplots()
    for y, one in enumerate(models):
        spread = 0.0 if math.isnan(one.spread) else one.spread
        axes.plot([one.score - spread, one.score + spread], [y, y], color=_OURS, lw=2, alpha=0.5)
        axes.plot(one.score, y, "o", color=_OURS, ms=7, mfc="white" if one.near_bound else _OURS)
        axes.plot(one.swap.bound, y, "|", color=_BOUND, ms=12, mew=2)
    values = [n for one in models for n in (one.score, one.swap.bound)]
    if values and max(values) > 30 * max(1.0, min(values)):
        axes.set_xscale("log")
    else:
        axes.set_xlim(left=0)
    names = [brief(one.name, _LONGEST) for one in models]
    axes.set_yticks(range(len(models)), names, fontsize=9)
    axes.set_ylim(-0.7, len(models) - 0.3)
    axes.grid(axis="x", color=_GRID, lw=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("SWAP-Score (bar: its bound; hollow: near it)", fontsize=9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(left=False)
    return figure
