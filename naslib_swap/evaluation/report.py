"""From stored scores to a table: frames, CSV and Markdown."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from naslib_swap.errors import SwapError
from naslib_swap.evaluation.correlate import correlate
from naslib_swap.evaluation.study import Study
from naslib_swap.evaluation.survey import gather
from naslib_swap.ground_truth import GroundTruth
from naslib_swap.predictors import registry

# What correlations.md and the terminal show, of all that correlations.csv holds.
SHOWN: Mapping[str, str] = {
    "proxy": "proxy",
    "spearman": "Spearman",
    "interval": "95 % interval",
    "kendall": "Kendall",
    "spearman_given_params": "given #params",
    "spearman_within_depth": "within depth",
    "regret": "regret@k",
    "seconds_per_arch": "ms/arch",
    "saturated_fraction": "saturated",
    "failed": "failed",
}


def scores_of(study: Study, path: str | os.PathLike[str]) -> pd.DataFrame:
    """The stored scores that belong to a study: its architectures, proxies, seeds and settings."""
    return gather([study], path)[0]


def correlations_of(study: Study, scores: pd.DataFrame, truth: GroundTruth) -> pd.DataFrame:
    """Correlate a study's scores with the accuracies of its task; one row a proxy, best first."""
    directions = {proxy: registry.get(proxy).higher_is_better for proxy in study.proxies}
    return correlate(scores, truth.accuracy, directions)


def presented(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that people read, as text, under headings for people."""

    def number(value: Any, form: str) -> str:
        return "" if pd.isna(value) else format(value, form)

    view = pd.DataFrame(
        {
            "proxy": [registry.get(p).title for p in table["proxy"]],
            "spearman": [number(v, ".3f") for v in table["spearman"]],
            "interval": [
                "" if pd.isna(low) else f"{low:.2f} to {high:.2f}"
                for low, high in zip(table["ci_low"], table["ci_high"])
            ],
            "kendall": [number(v, ".3f") for v in table["kendall"]],
            "spearman_given_params": [number(v, ".2f") for v in table["spearman_given_params"]],
            "spearman_within_depth": [number(v, ".2f") for v in table["spearman_within_depth"]],
            "regret": [number(v, ".2f") for v in table["regret"]],
            "seconds_per_arch": [number(1000 * v, ".1f") for v in table["seconds_per_arch"]],
            "saturated_fraction": [number(v, ".0%") for v in table["saturated_fraction"]],
            "failed": [str(v) if v else "" for v in table["failed"]],
        }
    )
    return view.rename(columns=dict(SHOWN))


def heading(study: Study, table: pd.DataFrame, truth: GroundTruth) -> str:
    """One line that says what a table rests on."""
    n = int(table["n"].max())
    return (
        f"{study.space} / {study.task}: {n} architectures, {len(study.seeds)} seed(s), "
        f"{study.inputs.samples} images ({study.inputs.source}), accuracies: {truth.source}"
    )


NOTES = (
    "Correlations are positive where a proxy ranks as it is meant to. Interval: bootstrap over "
    "architectures. Given #params: partial Spearman correlation with the number of parameters held "
    "fixed. Within depth: Spearman correlation among architectures of equal depth. regret@k: "
    "accuracy lost, against the best of these architectures, by training the k best by proxy. "
    "ms/arch: what the proxy costs alone, one thread. Saturated: scores at their upper bound, "
    "which tell nothing apart. No proxy here uses accuracies or trained weights."
)


def markdown(sections: Sequence[tuple[str, pd.DataFrame]]) -> str:
    """Return the tables as Markdown, with the notes that explain their columns."""
    parts = ["# Zero-cost proxies against accuracies\n"]
    for title, table in sections:
        parts += [
            f"## {title}\n",
            _markdown_table(presented(table)),
            f"k = {int(table['k'].max())}.\n",
        ]
    parts.append(NOTES + "\n")
    return "\n".join(parts)


def _markdown_table(view: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(view.columns) + " |"]
    lines.append("|" + "|".join(["---"] + ["---:"] * (len(view.columns) - 1)) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in view.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SwapError(
            f"cannot write {path}: {error.strerror or error}. Give a folder that you may write to."
        ) from None


def write_correlations(out: Path, sections: Iterable[tuple[str, pd.DataFrame]]) -> None:
    """Write ``correlations.csv`` and ``correlations.md`` into a folder."""
    found = list(sections)
    whole = pd.concat([table for _, table in found], ignore_index=True)
    write_text(out / "correlations.csv", whole.to_csv(index=False, float_format="%.6g"))
    write_text(out / "correlations.md", markdown(found))
