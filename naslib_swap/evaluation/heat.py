"""A heat map as an HTML table: its numbers can be read, found and copied."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

import numpy as np

_LOW, _HIGH = (178, 24, 43), (33, 102, 172)
"""Colours of -1 and 1: the ends of ColorBrewer's RdBu."""


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: np.ndarray,
    *,
    plain: Collection[int] = (),
    ours: Collection[int] = (),
) -> str:
    """Return HTML of correlations, [rows, columns], coloured between -1 and 1.

    ``plain`` are the columns that have no colour, ``ours`` the rows that are emphasised. Names are
    any texts.
    """
    head = "".join(f"<th><span>{escape(name)}</span></th>" for name in columns)
    lines = []
    for place, (name, values) in enumerate(zip(rows, cells)):
        kind = ' class="ours"' if place in ours else ""
        line = "".join(
            _cell(value, coloured=column not in plain) for column, value in enumerate(values)
        )
        lines.append(f'<tr><th{kind} title="{escape(name)}">{escape(name)}</th>{line}</tr>')
    return (
        f'<div class="scroll"><table class="heat"><thead><tr><th></th>{head}</tr></thead><tbody>'
        + "\n".join(lines)
        + "</tbody></table></div>"
    )


def _cell(value: float, *, coloured: bool) -> str:
    if not np.isfinite(value):
        return "<td>–</td>"
    if not coloured:
        return f"<td>{value:g}</td>"
    share = min(abs(value), 1.0)
    end = _HIGH if value > 0 else _LOW
    red, green, blue = (round(255 + share * (part - 255)) for part in end)
    text = f"{value:.2f}".replace("0.", ".", 1)
    ink = "#fff" if share > 0.6 else "#292524"
    return f'<td style="background:#{red:02x}{green:02x}{blue:02x};color:{ink}">{text}</td>'
