"""One HTML page to look into a comparison: no other file, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from naslib_swap.evaluation.explorer import MOST_DRAWN, explorer_data
from naslib_swap.evaluation.heat import heat_map
from naslib_swap.evaluation.overview import overview
from naslib_swap.evaluation.pictures import rank_correlations
from naslib_swap.evaluation.report import (
    NOTES,
    OVERVIEW,
    Outcome,
    footnote,
    presented,
    presented_beside,
    title_of,
)
from naslib_swap.web import document

_FOLDED_ABOVE = 2
"""Remarks that are shown at once."""

Picture = tuple[str, str]
"""A caption, and the picture as SVG."""


def page(
    outcomes: Sequence[Outcome],
    pictures: Mapping[tuple[str, str], Sequence[Picture]],
) -> str:
    """Return the page: an overview, then for each (space, task) its proxies and networks.

    Without scripts it still shows all tables of proxies, and the pictures.
    """
    parts = ["<h1>Zero-cost proxies against accuracies</h1>"]
    if len(outcomes) > 1:
        links = (f'<a href="#{_id(o)}">{escape(f"{o.space} / {o.task}")}</a>' for o in outcomes)
        parts.append(f"<nav>{' '.join(links)}</nav>")
        parts += [f"<p>{escape(OVERVIEW)}</p>", _overview(outcomes)]
    for number, outcome in enumerate(outcomes):
        parts.append(f'<section id="task-{number}"><h2 id="{_id(outcome)}">')
        parts.append(f"{escape(outcome.title)}</h2>")
        parts += [f"<p>{escape(outcome.advice)}</p>"] if outcome.advice else []
        parts.append('<div class="proxies"></div>')
        parts.append(_without_scripts(outcome, pictures.get((outcome.space, outcome.task), ())))
        parts.append(f'<p class="notes">{escape(footnote(outcome.table))}</p>')
        parts.append(_remarks(outcome.remarks))
        parts += [
            "<h3>Every network: score against accuracy</h3>",
            f'<p class="notes">{escape(_sampled(outcome))}</p>',
            '<div class="explorer"></div>',
            "<h3>Networks</h3>",
            '<p class="notes">Filters take part of a name, or &gt;0.5, &lt;=3, 1..2.</p>',
            '<div class="networks"></div>',
        ]
        parts += ["<h3>Do proxies agree?</h3>", _agreement(outcome)]
        if len(outcome.beside):
            parts.append("<h3>Computed and stored scores on the same architectures</h3>")
            parts.append(_table(presented_beside(outcome.beside)))
        parts.append("</section>")
    parts.append(f'<p class="notes">{escape(NOTES)}</p>')
    return document(
        "Zero-cost proxies",
        "\n".join(parts),
        {"tasks": [explorer_data(outcome) for outcome in outcomes]},
        ("tables.js", "panels.js", "comparison.js"),
    )


def _without_scripts(outcome: Outcome, pictures: Sequence[Picture]) -> str:
    """Return the table of proxies and the pictures, which scripts replace by what can be used."""
    ours = outcome.table["proxy"].isin(["swap", "reg_swap"]).tolist()
    shown = [_table(presented(outcome.table), ours), *map(_figure, pictures)]
    return f'<div class="static">{"".join(shown)}</div>'


def _remarks(remarks: Sequence[str]) -> str:
    """Return what readers are warned of; many remarks are folded into one line."""
    lines = "".join(f'<p class="remark">{escape(remark)}</p>' for remark in remarks)
    if len(remarks) <= _FOLDED_ABOVE:
        return lines
    return (
        f'<details class="remarks"><summary class="remark">{len(remarks)} remarks: what failed, '
        f"and what counts as worst</summary>{lines}</details>"
    )


def _sampled(outcome: Outcome) -> str:
    known = outcome.scores["arch"].drop_duplicates()
    count = int(known.isin(outcome.accuracy.keys()).sum())
    text = f"{count:,} networks, one panel per proxy; scores are means over seeds."
    if count > MOST_DRAWN:
        text += (
            f" Panels draw {MOST_DRAWN:,} of them, chosen at random; ranks, what you pick and the "
            "table below are of all."
        )
    return text


def _overview(outcomes: Sequence[Outcome]) -> str:
    table = overview(outcomes)
    if (table["tasks"] == len(outcomes)).all():
        table = table.drop(columns="tasks")
    return heat_map(
        [title_of(proxy) for proxy in table.index],
        [str(name) for name in table.columns],
        table.to_numpy(float),
        plain={place for place, name in enumerate(table.columns) if name == "tasks"},
        ours={place for place, name in enumerate(table.index) if name in ("swap", "reg_swap")},
    )


def _agreement(outcome: Outcome) -> str:
    order = list(outcome.table["proxy"])
    names = [title_of(proxy) for proxy in order]
    ours = {place for place, name in enumerate(order) if name in ("swap", "reg_swap")}
    note = "Spearman correlation between the scores of each pair of proxies."
    cells = rank_correlations(outcome.scores, order)
    return f'<p class="notes">{note}</p>' + heat_map(names, names, cells, ours=ours)


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
