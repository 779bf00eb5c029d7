"""Tables on a terminal: whole cells or whole columns, never half of a number.

Cells are text: no name in them is markup, an emoji or a command to the terminal.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from naslib_swap.quoting import without_controls

if TYPE_CHECKING:
    import pandas as pd

_PLAIN_WIDTH = 200


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Collection[str] = (),
    bold: Collection[int] = (),
    keep: int = 2,
) -> None:
    """Print a table: as many of its columns, from the left, as fit the terminal.

    ``left`` names the columns that are aligned to the left, ``bold`` the rows that are emphasised.
    At least ``keep`` columns are printed; a line names those that are not.
    """
    console = Console()
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    unbounded = console.options.update(max_width=10_000)
    shown = len(columns)
    while True:
        made = Table()
        for name in columns[:shown]:
            made.add_column(
                as_text(name), justify="left" if name in left else "right", no_wrap=True
            )
        for number, row in enumerate(rows):
            made.add_row(*map(as_text, row[:shown]), style="bold" if number in bold else None)
        needed = console.measure(made, options=unbounded).maximum
        if shown <= keep or needed <= console.width:
            break
        shown -= 1
    console.width = max(needed, console.width)
    # Not the table's own title, which would be folded to the table's width.
    console.print(as_text(title), style="bold", highlight=False)
    console.print(made)
    if shown < len(columns):
        console.print(as_text(f"Too wide to show here: {', '.join(columns[shown:])}."))


def as_text(given: str) -> Text:
    """Return what Rich prints as it is, on one line."""
    return Text(without_controls(given).replace("\n", " "))


def print_frame(title: str, view: pd.DataFrame, bold: Collection[int] = ()) -> None:
    """Print a frame of proxies, one row each, as :func:`print_table` does."""
    rows = [[str(cell) for cell in row] for row in view.itertuples(index=False)]
    print_table(title, list(view.columns), rows, left={"proxy"}, bold=bold)
