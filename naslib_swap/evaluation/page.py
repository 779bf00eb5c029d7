"""One HTML page with all tables and pictures: no other file, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from naslib_swap import __version__
from naslib_swap.evaluation.report import (
    NOTES,
    OVERVIEW,
    Outcome,
    footnote,
    presented,
    presented_beside,
    presented_overview,
)

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #292524; background: #fafaf9; margin: 0 auto;
       max-width: 1180px; padding: 1.5rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
nav a { margin-right: 1rem; } a { color: #9a3412; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; background: white; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #e7e5e4;
         white-space: pre; }
th:first-child, td:first-child { text-align: left; }
th { cursor: pointer; background: #f5f5f4; position: sticky; top: 0; }
th[aria-sort=ascending]::after { content: " ▲"; } th[aria-sort=descending]::after { content: " ▼"; }
tr.ours td { color: #c2410c; font-weight: 600; } tbody tr:hover { background: #fff7ed; }
figure { margin: 1.5rem 0; overflow-x: auto; } figcaption { color: #57534e; font-size: .9rem; }
svg { max-width: 100%; height: auto; background: white; }
.remark { color: #9a3412; } .notes { color: #57534e; font-size: .9rem; }
"""

_SORT = """
for (const head of document.querySelectorAll("th")) head.onclick = () => {
  const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
  const down = head.getAttribute("aria-sort") !== "descending";
  const number = text => { const n = parseFloat(text); return isNaN(n) ? null : n; };
  const value = row => row.cells[column].textContent;
  const rows = [...body.rows].sort((a, b) => {
    const x = value(a), y = value(b), m = number(x), n = number(y);
    if (x === "" || y === "") return (x === "") - (y === "");  // empty cells last, always
    const order = m !== null && n !== null ? m - n : x.localeCompare(y);
    return down ? -order : order;
  });
  for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  body.append(...rows);
};
"""

Picture = tuple[str, str]
"""A caption, and the picture as SVG."""


def page(
    outcomes: Sequence[Outcome],
    pictures: Mapping[tuple[str, str], Sequence[Picture]],
    overview: Sequence[Picture] = (),
) -> str:
    """Return the page: an overview, then tables and pictures for each (space, task)."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Zero-cost proxies</title><style>{_STYLE}</style></head><body>",
        "<h1>Zero-cost proxies against accuracies</h1>",
    ]
    if len(outcomes) > 1:
        links = (f'<a href="#{_id(o)}">{escape(f"{o.space} / {o.task}")}</a>' for o in outcomes)
        parts.append(f"<nav>{' '.join(links)}</nav>")
        parts += [f"<p>{escape(OVERVIEW)}</p>", _table(presented_overview(outcomes))]
    parts += [_figure(picture) for picture in overview]
    for outcome in outcomes:
        parts.append(f'<h2 id="{_id(outcome)}">{escape(outcome.title)}</h2>')
        ours = outcome.table["proxy"].isin(["swap", "reg_swap"]).tolist()
        parts.append(_table(presented(outcome.table), ours))
        parts.append(f'<p class="notes">{escape(footnote(outcome.table))}</p>')
        parts += [f"<p>{escape(outcome.advice)}</p>"] if outcome.advice else []
        parts += [f'<p class="remark">{escape(remark)}</p>' for remark in outcome.remarks]
        if len(outcome.beside):
            parts.append("<h3>Computed and stored scores on the same architectures</h3>")
            parts.append(_table(presented_beside(outcome.beside)))
        parts += [_figure(picture) for picture in pictures.get((outcome.space, outcome.task), ())]
    parts += [
        f'<p class="notes">{escape(NOTES)} Click on a heading to sort.</p>',
        f'<p class="notes">naslib-swap {escape(__version__)}</p>',
        f"<script>{_SORT}</script></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _id(outcome: Outcome) -> str:
    return escape(f"{outcome.space}-{outcome.task}")


def _table(view: pd.DataFrame, marked: Sequence[bool] = ()) -> str:
    head = "".join(f"<th>{escape(str(name))}</th>" for name in view.columns)
    rows = []
    for number, row in enumerate(view.itertuples(index=False)):
        kind = ' class="ours"' if marked and marked[number] else ""
        cells = "".join(f"<td>{escape(str(cell))}</td>" for cell in row)
        rows.append(f"<tr{kind}>{cells}</tr>")
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>'
        + "\n".join(rows)
        + "</tbody></table></div>"
    )


def _figure(picture: Picture) -> str:
    caption, svg = picture
    drawn = svg[svg.index("<svg") :]  # without the XML declaration, which HTML does not have
    return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"
