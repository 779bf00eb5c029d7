"""Pictures of a comparison, readable at a glance; PNG and SVG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from naslib_swap.errors import SwapError
from naslib_swap.predictors import registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OURS = "#c2410c"
_OTHERS = "#64748b"
_BASELINES = "#a8a29e"
_TRIVIAL = ("params", "flops", "depth", "reg_params", "reg_flops")


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _colour(proxy: str) -> str:
    if proxy in ("swap", "reg_swap"):
        return _OURS
    return _BASELINES if proxy in _TRIVIAL else _OTHERS


def ranking(title: str, table: pd.DataFrame) -> Figure:
    """Spearman's correlation of each proxy with its interval, best on top."""
    rows = table.iloc[::-1].reset_index(drop=True)
    figure = _figure(7, 1.2 + 0.32 * len(rows))
    axes = figure.subplots()
    for y, row in rows.iterrows():
        colour = _colour(row["proxy"])
        axes.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, lw=2, alpha=0.5)
        axes.plot(row["spearman"], y, "o", color=colour, ms=7)
        if np.isfinite(row["spearman"]):
            right = max(row["spearman"], row["ci_high"])
            axes.annotate(
                f"{row['spearman']:.2f}",
                (right, y),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
    axes.set_yticks(range(len(rows)), [registry.get(p).title for p in rows["proxy"]])
    axes.set_xlim(min(0.0, np.nanmin(rows["ci_low"].fillna(0))) - 0.02, 1.05)
    axes.axvline(0, color="#d6d3d1", lw=1, zorder=0)
    axes.grid(axis="x", color="#e7e5e4", lw=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("Spearman correlation with accuracy (bar: 95 % interval)")
    axes.set_title(title, fontsize=10, loc="left")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return figure


def heatmap(table: pd.DataFrame) -> Figure:
    """Proxies by tasks, coloured by Spearman's correlation, the best mean on top."""
    columns = list(dict.fromkeys(zip(table["space"], table["task"])))
    wide = table.pivot(index="proxy", columns=["space", "task"], values="spearman")[columns]
    wide = wide.loc[wide.mean(axis=1).sort_values(ascending=False).index]
    figure = _figure(2.2 + 0.75 * len(columns), 1.6 + 0.34 * len(wide))
    axes = figure.subplots()
    picture = axes.imshow(wide.to_numpy(float), cmap="RdYlBu", vmin=-1, vmax=1, aspect="auto")
    axes.set_yticks(range(len(wide)), [registry.get(str(p)).title for p in wide.index])
    axes.set_xticks(
        range(len(columns)), [f"{s}\n{t}" for s, t in columns], rotation=45, ha="right", fontsize=8
    )
    for (y, x), value in np.ndenumerate(wide.to_numpy(float)):
        text = "–" if np.isnan(value) else f"{value:.2f}"
        axes.text(
            x,
            y,
            text,
            ha="center",
            va="center",
            fontsize=7,
            color="white" if abs(value) > 0.75 else "black",
        )
    figure.colorbar(picture, ax=axes, label="Spearman correlation", fraction=0.03)
    return figure


def scatter(
    scores: pd.DataFrame, accuracy: pd.Series, proxies: Sequence[str], title: str
) -> Figure:
    """Score against accuracy, one panel a proxy."""
    across = min(3, len(proxies))
    down = -(-len(proxies) // across)
    figure = _figure(3.2 * across, 2.8 * down)
    panels = np.atleast_1d(figure.subplots(down, across)).ravel()
    for axes, proxy in zip(panels, proxies):
        values = scores[scores["proxy"] == proxy].groupby("arch")["value"].mean().dropna()
        axes.plot(
            values, accuracy.reindex(values.index), ".", ms=4, color=_colour(proxy), alpha=0.6
        )
        axes.set_title(registry.get(proxy).title, fontsize=9)
        axes.set_xlabel(registry.get(proxy).scale or "score", fontsize=8)
        axes.tick_params(labelsize=7)
    for axes in panels[len(proxies) :]:
        axes.set_visible(False)
    figure.supylabel("accuracy", fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure


def save(figure: Figure, out: Path, name: str) -> None:
    """Write ``name.png`` and ``name.svg``, each whole or not at all."""
    import matplotlib as mpl

    for kind in ("png", "svg"):
        part = out / f"{name}.part.{kind}"
        try:
            with mpl.rc_context({"svg.hashsalt": name}):
                metadata = {"Date": None} if kind == "svg" else None
                figure.savefig(part, dpi=150, metadata=metadata)
            os.replace(part, out / f"{name}.{kind}")
        except OSError as error:
            part.unlink(missing_ok=True)
            raise SwapError(
                f"cannot write {out / name}.{kind}: {error.strerror or error}. Give a folder that "
                "you may write to."
            ) from None
