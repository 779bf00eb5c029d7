"""One HTML page to look into a search: no other file, no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from naslib_swap.quoting import legible
from naslib_swap.web import document, numbers

if TYPE_CHECKING:
    from naslib_swap.optimizers.result import SearchResult

_MEASURE = "thousands of parameters"


def page(result: SearchResult, cells: str | None) -> str:
    """Return the page: what was found, how the search went, its front, and all that was scored.

    Parameters
    ----------
    result
        A search that scored at least one architecture.
    cells
        A picture of the cells as SVG; None where the space has none.
    """
    history = list(result.state.history.values())
    values, sizes = result.fitness, [one.size for one in history]
    scored = [
        {"arch": legible(one.arch), "value": value, "size": size, "cycle": one.cycle,
         "origin": one.origin}
        for one, value, size in zip(history, numbers(values), numbers(sizes))
    ]  # fmt: skip
    found = next(k for k, one in enumerate(history) if one.arch == result.best.arch)
    name = _fitness_name(result)
    failed = f", {len(result.failures)} could not be scored" if result.failures else ""
    plan = result.plan
    body = [
        "<h1>Search without training</h1>",
        f"<p>{escape(plan.space)} / {escape(str(plan.task))}, guided by {escape(plan.proxy)}: "
        f"{len(history):,} architectures scored{failed}, {result.state.cycle:,} cycles, "
        f"{result.ending.seconds:.0f} s.</p>",
        '<div class="card"><div class="soft">found</div>'
        f"<code>{escape(legible(result.best.arch))}</code>"
        f'<div class="soft">{escape(_sizes(result))}</div></div>',
        '<div class="pair"><section class="panel"><header><b>How it went</b></header>'
        '<div class="plot" id="curve"></div></section>',
        '<section class="panel"><header><b>Score and size</b></header>'
        '<div class="plot" id="front"></div></section></div>',
        f'<p class="notes">Each point is an architecture; {escape(name)} as at the end of the '
        "search. Orange: the best so far, and the front, where no smaller architecture has a "
        "higher value. The worst twentieth lie below the axes. Scores of one search rank these "
        "architectures, and say nothing of accuracies.</p>",
    ]
    if cells is not None:
        body.append(f"<h2>Cells</h2><figure>{cells[cells.index('<svg') :]}</figure>")
    body.append('<h2>All that was scored</h2><div id="history"></div>')
    data = {
        "history": scored,
        "front": front(sizes, values),
        "best": found,
        "fitness": name,
        "measure": _MEASURE,
    }
    return document("Search", "\n".join(body), data, ("tables.js", "panels.js", "search.js"))


def front(sizes: Sequence[float], values: Sequence[float]) -> list[int]:
    """Return which architectures no other beats: none is as small and better, by size.

    Examples
    --------
    >>> front([3.0, 1.0, 2.0, 4.0], [5.0, 1.0, 6.0, 7.0])
    [1, 2, 3]
    """
    best, found = -np.inf, []
    for place in sorted(range(len(sizes)), key=lambda k: (sizes[k], -values[k])):
        if np.isfinite(values[place]) and values[place] > best:
            best = values[place]
            found.append(place)
    return found


def _fitness_name(result: SearchResult) -> str:
    combination = result.plan.combination()
    if combination is not None:
        return f"{combination.title} among all scored"
    return "fitness" if result.weighting is None else "log of regularised score"


def _sizes(result: SearchResult) -> str:
    return "parameters: " + ", ".join(f"{name} {n:,}" for name, n in result.sizes.items())
