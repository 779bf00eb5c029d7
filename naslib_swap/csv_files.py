"""CSV: rows read within a budget, with one-line errors; frames written for spreadsheets."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naslib_swap.errors import BadFile
from naslib_swap.quoting import legible, one_line
from naslib_swap.reading import damage, read_text

if TYPE_CHECKING:
    import pandas as pd

MOST_COLUMNS = 10_000
MOST_CELLS = 20_000_000


def read_rows(path: Path) -> list[list[str]]:
    """Read the rows of a CSV file, compressed or not, as its name says.

    Empty lines are skipped. A byte order mark is no part of the first cell.

    Returns
    -------
    list of list of str
        At least one row; all rows have the length of the first, empty cells in place of those that
        are missing at the end.

    Raises
    ------
    BadFile
        The file cannot be read, is damaged, empty or too large, or a row is longer than the first.
    """
    name = one_line(path)
    lines = io.StringIO(read_text(path), newline="")
    rows: list[list[str]] = []
    with damage(f"{name} cannot be read as CSV"):
        reader = csv.reader(lines)
        for row in reader:
            if not row:
                continue
            width = len(rows[0]) if rows else MOST_COLUMNS
            if len(row) > width:
                raise BadFile(
                    f"{name}, line {reader.line_num}: {len(row)} cells; expected at most {width}"
                )
            if (len(rows) + 1) * len(rows[0] if rows else row) > MOST_CELLS:
                raise BadFile(f"{name} holds more than {MOST_CELLS:,} cells")
            rows.append(row + [""] * (width - len(row)) if rows else row)
    if not rows:
        raise BadFile(f"{name} cannot be read as CSV: it is empty")
    return rows


def written(frame: pd.DataFrame) -> str:
    """Return a frame as CSV; texts are on one line, and none is a formula to a spreadsheet.

    A text that a spreadsheet would compute gets a ``'`` in front, which hides there and says that
    it is text. Numbers stay numbers.
    """
    plain = frame.rename(columns=_no_formula)
    for number, kind in enumerate(plain.dtypes):
        if kind.kind not in "biufc":
            plain.isetitem(number, plain.iloc[:, number].map(_no_formula))
    return str(plain.to_csv(index=False, float_format="%.6g"))


def _no_formula(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    text = legible(cell)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
