"""Everything that a comparison leaves in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from naslib_swap.evaluation import pictures
from naslib_swap.evaluation.page import Picture, page
from naslib_swap.evaluation.report import Outcome, write_tables
from naslib_swap.figures import save
from naslib_swap.files import write_text


def write_results(out: Path, outcomes: Sequence[Outcome]) -> None:
    """Write tables, pictures and the page that holds both into a folder.

    ``correlations.csv``, ``correlations.md``, ``report.html``, and as PNG and SVG, for each task,
    ``ranking-``, ``scatter-`` and ``proxies-``; for several tasks a ``heatmap``.
    """
    write_tables(out, outcomes)
    drawn = {(o.space, o.task): _pictures(out, o) for o in outcomes}
    overview = []
    if len(outcomes) > 1:
        whole = pd.concat([o.table for o in outcomes], ignore_index=True)
        heatmap = save(pictures.heatmap(whole), out, "heatmap")
        overview.append(("Spearman correlation of each proxy on each task", heatmap))
    write_text(out / "report.html", page(outcomes, drawn, overview))


def _pictures(out: Path, outcome: Outcome) -> list[Picture]:
    order = list(outcome.table["proxy"])
    name = f"{outcome.space}-{outcome.task}"
    figures = {
        "ranking": pictures.ranking(outcome.title, outcome.table),
        "scatter": pictures.scatter(outcome.title, outcome.scores, outcome.accuracy, order),
        "proxies": pictures.proxies_against_proxies(outcome.title, outcome.scores, order),
    }
    captions = {
        "ranking": "Spearman correlation of each proxy with the accuracies",
        "scatter": "Score against accuracy; one point per architecture",
        "proxies": "Do proxies agree? Spearman correlation between them",
    }
    return [
        (captions[kind], save(figure, out, f"{kind}-{name}")) for kind, figure in figures.items()
    ]
