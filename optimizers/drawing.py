"""Pictures of a search: the cells of an architecture, and how the best value rose."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from naslib_swap.combinations import Combination
from naslib_swap.figures import as_svg, empty_figure
from naslib_swap.files import write_bytes
from naslib_swap.regularisation import Regularisation
from naslib_swap.spaces.space import CellGraph

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from naslib_swap.optimizers.result import SearchResult

_BLUE, _GREY, _RED = "#2b6cb0", "#a0aec0", "#c53030"


def draw_cells(path: Path, graphs: Sequence[CellGraph]) -> str:
    """Write a picture of cells, nodes from left to right, each edge an arc with its operation.

    Returns
    -------
    str
        The same picture as SVG.
    """
    figure = empty_figure(11, 4.6 * len(graphs), layout="constrained")
    for axes, graph in zip(figure.subplots(len(graphs), squeeze=False)[:, 0], graphs):
        _draw_cell(axes, graph)
    _save(figure, path)
    return as_svg(figure, path.stem)


def _draw_cell(axes: Any, graph: CellGraph) -> None:
    from matplotlib.patches import FancyArrowPatch

    place = {name: i for i, name in enumerate(graph.nodes)}
    drawn: dict[tuple[str, str], int] = {}
    low, high = -0.4, 0.4
    for k, (start, end, label) in enumerate(graph.edges):
        x0, x1 = place[start], place[end]
        twin = drawn.get((start, end), 0)
        drawn[start, end] = twin + 1
        # Arcs lie above and below in turn; longer ones, and the second of a pair, reach further.
        side = 1 if (k + twin) % 2 == 0 else -1
        bend = side * (0.22 + 0.16 * (x1 - x0) + 0.25 * twin)
        rise = bend * (x1 - x0) / 2 if label else 0.0
        arrow = FancyArrowPatch(
            (x0, 0),
            (x1, 0),
            connectionstyle=f"arc3,rad={-bend if label else 0.12 * side}",
            arrowstyle="-|>",
            mutation_scale=14,
            shrinkA=16,
            shrinkB=16,
            color=_BLUE if label else _GREY,
            linewidth=1.6 if label else 0.8,
        )
        axes.add_patch(arrow)
        if label:
            low, high = min(low, rise), max(high, rise)
            axes.text(
                (x0 + x1) / 2,
                rise,
                label,
                ha="center",
                va="center",
                fontsize=8,
                bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none"},
            )
    for name, x in place.items():
        text = f"${name}$" if "_" in name else name
        axes.text(
            x, 0, text, ha="center", va="center", bbox={"boxstyle": "circle", "fc": "#edf2f7"}
        )
    axes.set_xlim(-0.5, len(place) - 0.5)
    axes.set_ylim(low - 0.2, high + 0.2)
    axes.set_aspect("equal")  # arcs bend by their length on paper
    axes.set_title(graph.title)
    axes.set_axis_off()


def draw_curve(
    path: Path,
    fitness: Sequence[float],
    thousands: Sequence[float],
    weighting: Regularisation | None,
    combination: Combination | None,
) -> None:
    """Write the search curve: every fitness as at the end, every size, and the best so far."""
    values, sizes = np.array(fitness), np.array(thousands)
    figure = empty_figure(11, 4.6, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(values, ".", color=_GREY, markersize=3, label="scored")
    left.plot(np.maximum.accumulate(values), color=_BLUE, label="best so far")
    left.set_ylim(*_without_tail(values))
    left.set_xlabel("architectures scored")
    if combination is not None:
        left.set_ylabel(f"{combination.title} among all scored")
    else:
        left.set_ylabel("fitness" if weighting is None else "log of regularised score")
    left.legend()
    right.plot(sizes, ".", color=_GREY, markersize=3, label="scored")
    best = np.array([int(np.argmax(values[: i + 1])) for i in range(len(values))])
    right.plot(sizes[best], color=_BLUE, label="best so far")
    if weighting is not None:
        right.axhline(weighting.mu, color=_RED, linestyle="--", label=f"mu = {weighting.mu:.3g}")
    right.set_xlabel("architectures scored")
    right.set_ylabel("thousands of parameters, scored network")
    right.legend()
    _save(figure, path)


def draw_front(path: Path, result: SearchResult) -> None:
    """Write the front of a Pareto search: the score against each cost, what was scored in grey."""
    names = [name for name in result.plan.pareto if name != "score"]
    archs = list(result.state.history)
    scores = dict(zip(archs, result.fitness))
    figure = empty_figure(5.5 * len(names), 4.6, layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        costs = [result.state.history[arch].costs[name] for arch in archs]
        axes.plot(costs, [scores[arch] for arch in archs], ".", color=_GREY, markersize=3)
        ends = sorted((one.costs[name], scores[one.arch]) for one in result.front)
        line = "-o" if len(names) == 1 else "o"
        axes.plot(*zip(*ends), line, color=_BLUE, markersize=4, label="front")
        axes.set_ylim(*_without_tail(np.array(list(scores.values()))))
        axes.set_xlabel(name)
        axes.set_ylabel("score")
        axes.legend()
    _save(figure, path)


def _without_tail(values: np.ndarray) -> tuple[float, float]:
    """Return limits that leave out the worst tenth, which would flatten the rest."""
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, 0.1), finite.max()
    margin = 0.05 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _save(figure: Figure, path: Path) -> None:
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix[1:], dpi=110)
    write_bytes(path, drawn.getvalue())
