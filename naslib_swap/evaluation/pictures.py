"""Pictures of a comparison, readable at a glance; PNG and SVG."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from naslib_swap import proxies as registry
from naslib_swap.evaluation.advice import TRIVIAL
from naslib_swap.evaluation.report import MARKS, directions_of, title_of
from naslib_swap.figures import empty_figure
from naslib_swap.quoting import brief

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OURS = "#c2410c"
_OTHERS = "#475569"
_BASELINES = "#a8a29e"
_GRID = "#e7e5e4"

_MANY_POINTS = 400
_LONGEST = 32
"""Characters of a name."""


def _colour(proxy: str) -> str:
    if proxy in ("swap", "reg_swap"):
        return _OURS
    return _BASELINES if proxy in TRIVIAL else _OTHERS


def _short(proxy: str) -> str:
    return brief(title_of(proxy), _LONGEST)


def ranking(title: str, table: pd.DataFrame) -> Figure:
    """Draw Spearman's correlation of each proxy with its interval, best on top."""
    rows = table.iloc[::-1].reset_index(drop=True)
    figure = empty_figure(7, 1.3 + 0.3 * len(rows), layout="constrained")
    axes = figure.subplots()
    for y, row in enumerate(rows.to_dict("records")):
        colour, filled = _colour(row["proxy"]), row["source"] != "stored"
        axes.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, lw=2, alpha=0.5)
        axes.plot(row["spearman"], y, "o", color=colour, mfc=colour if filled else "white", ms=7)
        if np.isfinite(row["spearman"]):
            axes.annotate(
                f"{row['spearman']:.2f}",
                (np.nanmax([row["spearman"], row["ci_high"]]), y),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        else:
            axes.annotate("no ranking", (0, y), xytext=(6, 0), textcoords="offset points",
                          va="center", fontsize=8, color="#78716c")  # fmt: skip
    names = [_short(p) + MARKS[s] for p, s in zip(rows["proxy"], rows["source"])]
    axes.set_yticks(range(len(rows)), names, fontsize=9)
    for label, proxy in zip(axes.get_yticklabels(), rows["proxy"]):
        label.set_color("black" if _colour(proxy) == _BASELINES else _colour(proxy))
    axes.set_ylim(-0.7, len(rows) - 0.3)
    lowest = float(rows["ci_low"].fillna(0).min())
    axes.set_xlim(min(0.0, lowest) - 0.03, 1.08)
    axes.axvline(0, color="#d6d3d1", lw=1, zorder=0)
    axes.grid(axis="x", color=_GRID, lw=0.6)
    axes.tick_params(left=False)
    _bare(axes)
    axes.set_axisbelow(True)
    axes.set_xlabel("Spearman correlation with accuracy (bar: 95 % interval)", fontsize=9)
    _headline(figure, title, 7)
    return figure


def heatmap(table: pd.DataFrame) -> Figure:
    """Draw proxies by tasks, coloured by Spearman's correlation, the best mean on top."""
    columns = list(dict.fromkeys(zip(table["space"], table["task"])))
    wide = table.pivot(index="proxy", columns=["space", "task"], values="spearman")[columns]
    mean = wide.mean(axis=1).sort_values(ascending=False)
    cells = np.column_stack([wide.loc[mean.index].to_numpy(float), mean.to_numpy(float)])
    figure = empty_figure(
        2.6 + 0.52 * cells.shape[1], 2.2 + 0.29 * len(cells), layout="constrained"
    )
    axes = figure.subplots()
    picture = _coloured(axes, cells)
    _row_names(axes, [str(p) for p in mean.index])
    names = [f"{task}" for _, task in columns] + ["mean"]
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.tick_params(axis="x", labelsize=8)
    axes.get_xticklabels()[-1].set_fontweight("bold")
    spaces = [space for space, _ in columns]
    for x in range(1, len(names)):  # a gap between spaces, and before the mean
        if x == len(columns) or spaces[x] != spaces[x - 1]:
            axes.axvline(x - 0.5, color="white", lw=5)
    for space in dict.fromkeys(spaces):
        inside = [x for x, name in enumerate(spaces) if name == space]
        label = space.replace("transbench101_", "TransNAS ").replace("nasbench", "NB")
        axes.text(sum(inside) / len(inside), -0.75, label, ha="center", va="bottom", fontsize=8.5,
                  fontweight="bold", rotation=0 if len(inside) > 1 else 30)  # fmt: skip
    bar = figure.colorbar(picture, ax=axes, fraction=0.02, pad=0.01, aspect=30)
    bar.set_label("Spearman correlation with accuracy", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def proxies_against_proxies(title: str, scores: pd.DataFrame, order: Sequence[str]) -> Figure:
    """Draw rank correlations between proxies: means over seeds, signs so that higher is better."""
    cells = rank_correlations(scores, order)
    figure = empty_figure(2.4 + 0.42 * len(order), 2.0 + 0.36 * len(order), layout="constrained")
    axes = figure.subplots()
    picture = _coloured(axes, cells, fontsize=6.5)
    _row_names(axes, order)
    axes.set_xticks(range(len(order)), [_short(p) for p in order], rotation=45, ha="right",
                    rotation_mode="anchor", fontsize=8)  # fmt: skip
    bar = figure.colorbar(picture, ax=axes, fraction=0.025, pad=0.01, aspect=30)
    bar.set_label("Spearman correlation between proxies", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)  # type: ignore[operator]
    _headline(figure, title, 2.4 + 0.42 * len(order))
    return figure


def rank_correlations(scores: pd.DataFrame, order: Sequence[str]) -> np.ndarray:
    """Return Spearman's correlations between proxies, [proxies, proxies]; NaN where constant."""
    directions = directions_of(order)
    mean = scores.pivot_table(index="arch", columns="proxy", values="value", aggfunc="mean")
    signed = pd.DataFrame(
        {p: (1 if directions[p] else -1) * mean[p] if p in mean else np.nan for p in order},
        index=mean.index,
    )
    return signed.corr("spearman", min_periods=3).to_numpy(float)


def scatter(
    title: str, scores: pd.DataFrame, accuracy: Mapping[str, float], order: Sequence[str]
) -> Figure:
    """Draw score against accuracy, one panel per proxy; a score is the mean over seeds."""
    across = min(4, len(order))
    down = -(-len(order) // across)
    width, height = 2.3 * across + 1.4, 2.1 * down + 0.5
    figure = empty_figure(width, height)  # panels of one size need no layout engine
    figure.subplots_adjust(
        left=0.6 / width,
        right=1 - 0.9 / width,
        bottom=0.45 / height,
        top=1 - 0.65 / height,
        wspace=0.12,
        hspace=0.55,
    )
    panels: Any = np.atleast_1d(figure.subplots(down, across, sharey=True)).ravel()
    known = {arch: accuracy[arch] for arch in scores["arch"].unique() if arch in accuracy}
    truth = pd.Series(known, dtype=float)
    floor = _floor(truth)
    depth = _mean_values(scores, "depth")
    picture = None
    for axes, proxy in zip(panels, order):
        values = _mean_values(scores, proxy)
        shown: dict[str, Any] = {"color": _colour(proxy)}
        if len(depth) and depth.nunique() > 1:
            shown = {"c": depth.reindex(values.index), "cmap": "viridis",
                     "vmin": depth.min(), "vmax": depth.max()}  # fmt: skip
        size = 14 if len(values) < 100 else 7
        heights = truth.reindex(values.index)
        points = axes.scatter(
            values,
            heights,
            s=size,
            alpha=0.75,
            lw=0,
            rasterized=len(values) > _MANY_POINTS,
            **shown,
        )
        picture = points if "c" in shown else picture
        if floor is not None:
            axes.set_ylim(bottom=floor)
            below = values[heights < floor]
            axes.scatter(below, np.full(len(below), floor), s=18, marker="v", clip_on=False,
                         color="#78716c")  # fmt: skip
        axes.set_title(_short(proxy), fontsize=9, color=_OURS if "swap" in proxy else "black")
        if scale := _scale(proxy):
            axes.set_xlabel(scale, fontsize=7)
        if not registry.higher_is_better(proxy):
            axes.invert_xaxis()
        axes.tick_params(labelsize=7)
        axes.locator_params(axis="x", nbins=3)
        axes.locator_params(axis="y", nbins=5)
        axes.grid(color=_GRID, lw=0.5)
        axes.set_axisbelow(True)
        _bare(axes, left=True)
    if floor is not None:
        lost = int((truth < floor).sum())
        title += f" (grey triangles: {lost} below {floor:.3g})"
    for axes in panels[len(order) :]:
        axes.set_visible(False)
    for axes in panels[::across]:
        axes.set_ylabel("accuracy", fontsize=8)
    if picture is not None:
        strip = figure.add_axes((1 - 0.7 / width, 0.25, 0.12 / width, 0.5))
        bar = figure.colorbar(picture, cax=strip)
        bar.set_label("depth: weighted layers on the longest path", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        bar.outline.set_visible(False)  # type: ignore[operator]
    _headline(figure, title, width)
    return figure


def _floor(accuracy: pd.Series) -> float | None:
    """Return where to cut the axis, so that a few failed trainings do not flatten the others."""
    low, high = accuracy.quantile(0.02), accuracy.max()
    floor = low - 0.5 * (high - low)
    return float(floor) if accuracy.min() < floor - 0.5 * (high - low) else None


def _scale(proxy: str) -> str:
    scale = registry.get(proxy).scale if proxy in registry.names() else ""
    return "" if scale == "linear" else scale


def _mean_values(scores: pd.DataFrame, proxy: str) -> pd.Series:
    return scores[scores["proxy"] == proxy].groupby("arch")["value"].mean().dropna()


def _coloured(axes: Axes, cells: np.ndarray, fontsize: float = 7.5) -> Any:
    picture = axes.imshow(cells, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    for (y, x), value in np.ndenumerate(cells):
        text = "–" if np.isnan(value) else f"{value:.2f}".replace("0.", ".")
        dark = abs(value) > 0.6
        axes.text(x, y, text, ha="center", va="center", fontsize=fontsize,
                  color="white" if dark else "#292524")  # fmt: skip
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)
    return picture


def _row_names(axes: Axes, proxies: Sequence[str]) -> None:
    axes.set_yticks(range(len(proxies)), [_short(p) for p in proxies], fontsize=9)
    for label, proxy in zip(axes.get_yticklabels(), proxies):
        label.set_color(_OURS if proxy in ("swap", "reg_swap") else "black")
        label.set_fontweight("bold" if proxy in ("swap", "reg_swap") else "normal")


def _bare(axes: Axes, *, left: bool = False) -> None:
    for side in ("top", "right") if left else ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _headline(figure: Figure, title: str, width: float) -> None:
    text = "\n".join(textwrap.wrap(title, int(13 * width)))
    figure.suptitle(text, fontsize=9, x=0.01, ha="left", color="#44403c")
