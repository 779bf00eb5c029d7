"""Pictures of the comparison: proxies against GLUE, SWAP against each task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from naslib_swap.evaluation.statistics import spearman
from naslib_swap.figures import empty_figure
from naslib_swap.flexibert.benchmark import AVERAGE, TASKS, BenchmarkEntry
from naslib_swap.flexibert.comparators import PROXIES
from naslib_swap.flexibert.encoder import parse
from naslib_swap.flexibert.report import truth_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {2: "#2563eb", 4: "#c2410c"}
_OTHER = "#64748b"


def _figure(panels: int, across: int) -> tuple[Figure, list[Axes]]:
    across = min(across, panels)
    down = -(-panels // across)
    figure = empty_figure(2.7 * across, 2.5 * down + 0.5, layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(down, across)).ravel())
    for spare in axes[panels:]:
        spare.set_visible(False)
    return figure, axes[:panels]


def _scatter(axes: Axes, values: pd.Series, truth: pd.Series, title: str) -> None:
    known = values.dropna()
    depths = np.array([len(parse(arch.split()[-1]).layers) for arch in known.index])
    y = truth[known.index]
    for depth in np.unique(depths):
        inside = depths == depth
        axes.plot(
            known[inside],
            y[inside],
            ".",
            ms=3.5,
            alpha=0.6,
            color=_COLOURS.get(int(depth), _OTHER),
            label=f"{depth} layers",
        )
    rho = spearman(known.to_numpy(float), y.to_numpy(float))
    axes.set_title(f"{title}  ρ = {rho:.2f}", fontsize=9, loc="left")
    axes.tick_params(labelsize=7)
    axes.grid(color="#e7e5e4", lw=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _means(scores: pd.DataFrame, proxy: str) -> pd.Series:
    return scores[scores["proxy"] == proxy].groupby("arch")["value"].mean()


def proxies_against_glue(
    scores: pd.DataFrame, entries: Sequence[BenchmarkEntry], proxies: Sequence[str]
) -> Figure:
    """Draw each proxy against the GLUE average, one panel per proxy, coloured by depth."""
    figure, panels = _figure(len(proxies), 4)
    truth = pd.Series(truth_of(entries))
    for axes, proxy in zip(panels, proxies):
        _scatter(axes, _means(scores, proxy), truth, PROXIES[proxy].title)
    panels[0].legend(fontsize=7, frameon=False)
    figure.supylabel("GLUE average", fontsize=9)
    return figure


def swap_against_tasks(scores: pd.DataFrame, entries: Sequence[BenchmarkEntry]) -> Figure:
    """Draw SWAP against each GLUE task and the average, coloured by depth."""
    tasks = (*TASKS, AVERAGE)
    figure, panels = _figure(len(tasks), 3)
    values = _means(scores, "swap")
    for axes, task in zip(panels, tasks):
        _scatter(axes, values, pd.Series(truth_of(entries, task)), task)
    panels[0].legend(fontsize=7, frameon=False)
    figure.supxlabel("SWAP", fontsize=9)
    figure.supylabel("score", fontsize=9)
    return figure
