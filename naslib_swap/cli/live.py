"""A ranking that grows: rows that change places on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from naslib_swap.cli.printing import as_text
from naslib_swap.cli.progress import Pace, lines

_PICTURES_A_SECOND = 4
_BETWEEN = 0.5
"""Seconds between two rankings."""
_AROUND = 6
"""Lines of a terminal that are not rows."""
_BEST = 3
"""Rows that a plain line names."""
_WHISKER = 24
"""Characters of the picture of an interval."""


class Row(NamedTuple):
    """One row of a ranking.

    Attributes
    ----------
    name
        Whatever it is called; text, never markup.
    cells
        The other columns.
    ours
        Whether it is emphasised.
    interval
        (low, middle, high) on a scale from 0 to 1, drawn behind the cells; None draws nothing.
    """

    name: str
    cells: tuple[str, ...]
    ours: bool = False
    interval: tuple[float, float, float] | None = None


class Ranking(NamedTuple):
    """What is shown: headings of the columns, and rows, best first."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Row]


Source = Callable[[], Ranking]


class Watched:
    """What a command tells: where the ranking comes from, and how far the work is."""

    def __init__(self, show: Callable[[int, int], None]) -> None:
        self.source: Source | None = None
        self.show = show

    def ranking(self) -> Ranking | None:
        """Return the ranking as it is now; None where there is no row yet."""
        found = self.source() if self.source is not None else None
        return found if found is not None and found.rows else None


@contextmanager
def live(description: str, *, quiet: bool = False) -> Iterator[Watched]:
    """Yield what shows a ranking: tell it the ``source``, and call ``show(done, total)``."""
    console = Console(stderr=True)
    if quiet:
        yield Watched(lambda done, total: None)
    elif console.is_terminal:
        picture = _Picture(description, console)
        watched = Watched(picture.show)
        picture.watched = watched
        with Live(
            get_renderable=picture.drawn,
            console=console,
            refresh_per_second=_PICTURES_A_SECOND,
            transient=True,
        ):
            yield watched
    else:
        told = lines(description, lambda: _best(watched.ranking()))
        watched = Watched(told)
        yield watched


class _Picture:
    """The ranking and a bar. The ranking is made where the work is done, and drawn elsewhere."""

    def __init__(self, description: str, console: Console) -> None:
        self.watched: Watched | None = None
        self._description = description
        self._console = console
        self._pace = Pace()
        self._next = 0.0
        self._table: RenderableType = Text("")

    def show(self, done: int, total: int) -> None:
        self._pace.step(done, total)
        if self.watched is None or time.monotonic() < self._next:
            return
        found = self.watched.ranking()
        if found is not None:
            self._table = _table(found, max(3, self._console.height - _AROUND))
        self._next = time.monotonic() + _BETWEEN

    def drawn(self) -> RenderableType:
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            as_text(self._description),
            ProgressBar(total=self._pace.total or None, completed=self._pace.done, width=30),
            Text(self._pace.said()),
        )
        return Group(self._table, bar)


def _table(ranking: Ranking, most: int) -> RenderableType:
    rows = list(ranking.rows[:most])
    drawn = any(row.interval is not None for row in rows)
    made = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for place, name in enumerate(ranking.columns):
        made.add_column(as_text(name), justify="right" if place else "left", no_wrap=True)
    if drawn:
        made.add_column(Text("0" + "1".rjust(_WHISKER - 1)), no_wrap=True, style="dim")
    for row in rows:
        style = "bold dark_orange3" if row.ours else None
        cells: list[Any] = [as_text(cell) for cell in (row.name, *row.cells)]
        if drawn:
            cells.append(Text(whisker(row.interval), style=style or "steel_blue"))
        made.add_row(*cells, style=style)
    left = len(ranking.rows) - len(rows)
    below = [Text(f"and {left} more rows", style="dim")] if left > 0 else []
    return Group(as_text(ranking.title), made, *below)


def whisker(interval: tuple[float, float, float] | None, width: int = _WHISKER) -> str:
    """Draw an interval between 0 and 1, what lies outside at the edge.

    Examples
    --------
    >>> whisker((0.25, 0.5, 1.0), 9)
    '  ──●────'
    """
    if interval is None:
        return ""
    low, middle, high = (round(min(max(x, 0.0), 1.0) * (width - 1)) for x in interval)
    return "".join(
        "●" if at == middle else "─" if low <= at <= high else " " for at in range(width)
    )


def _best(ranking: Ranking | None) -> str:
    if ranking is None:
        return ""
    best = ", ".join(f"{row.name} {row.cells[0]}" for row in ranking.rows[:_BEST])
    return f"; best so far: {best}"
