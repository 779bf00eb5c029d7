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
    """Write tables, pictures and the page to look into them into a folder.

    ``correlations.csv``, ``correlations.md``, ``report.html``, and as PNG and SVG, for each task,
    ``ranking-``, ``scatter-`` and ``proxies-``; for several tasks a ``heatmap``.
    """
    write_tables(out, outcomes)
    drawn = {(o.space, o.task): _pictures(out, o) for o in outcomes}
    if len(outcomes) > 1:
        whole = pd.concat([o.table for o in outcomes], ignore_index=True)
        save(pictures.heatmap(whole), out, "heatmap")
    write_text(out / "report.html", page(outcomes, drawn))


def _pictures(out: Path, outcome: Outcome) -> list[Picture]:
    """Draw all pictures; return those that the page holds for readers without scripts."""
    order = list(outcome.table["proxy"])
    name = f"{outcome.space}-{outcome.task}"
    figures = {
        "ranking": pictures.ranking(outcome.title, outcome.table),
        "scatter": pictures.scatter(outcome.title, outcome.scores, outcome.accuracy, order),
        "proxies": pictures.proxies_against_proxies(outcome.title, outcome.scores, order),
    }
    drawn = {kind: save(figure, out, f"{kind}-{name}") for kind, figure in figures.items()}
    return [("Spearman correlation of each proxy with the accuracies", drawn["ranking"])]
