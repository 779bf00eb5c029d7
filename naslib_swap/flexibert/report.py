"""From stored scores of encoders to tables: Table I, the eight tasks, and within each depth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import pandas as pd

from naslib_swap import csv_files
from naslib_swap.errors import BadArgument
from naslib_swap.evaluation.correlate import correlate
from naslib_swap.evaluation.markdown import as_text, markdown_table
from naslib_swap.evaluation.statistics import spearman
from naslib_swap.files import write_text
from naslib_swap.flexibert.benchmark import AVERAGE, TASKS, BenchmarkEntry
from naslib_swap.flexibert.comparators import PROXIES
from naslib_swap.flexibert.encoder import encode

_FEWEST_RANKED = 3
_FEWEST_IN_STRATUM = 5


@dataclass(frozen=True)
class Comparison:
    """What came of comparing proxies on encoders.

    Attributes
    ----------
    title
        What was scored, and how.
    entries
        The encoders, with their GLUE scores.
    proxies
        Names of the proxies, in the order asked for.
    scores
        One row per encoder, proxy and seed.
    table
        One row per proxy: its correlations with the GLUE average (`table_one`).
    tasks
        One row per proxy: its correlation with each task (`task_table`).
    released
        Our values against the released ones (`released_table`); None where this was not asked for.
    """

    title: str
    entries: Sequence[BenchmarkEntry]
    proxies: tuple[str, ...]
    scores: pd.DataFrame
    table: pd.DataFrame
    tasks: pd.DataFrame
    released: Optional[pd.DataFrame] = None

    def sections(self) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
        """Return the tables by title: as numbers, and as text for people."""
        found = {
            f"Table I: {self.title}": (self.table, presented_table_one(self.table)),
            "Tasks: Spearman correlation with each GLUE task": (
                self.tasks,
                presented_tasks(self.tasks),
            ),
        }
        if self.released is not None:
            found["Released: our values against the released ones"] = (
                self.released,
                presented_released(self.released),
            )
        return found

    def remarks(self) -> list[str]:
        """Return what a reader should be warned of: proxies that failed, and why."""
        failed = self.scores[self.scores["error"].notna()]
        return [
            f"{proxy} failed on {len(rows)} encoder(s), {rows['arch'].iloc[0]} for one: {error}"
            for (proxy, error), rows in failed.groupby(["proxy", "error"])
        ]


def name_of(entry: BenchmarkEntry) -> str:
    """Return what tables call an entry: its id and its notation."""
    return f"#{entry.id} {encode(entry.encoder)}"


def truth_of(entries: Sequence[BenchmarkEntry], task: str = AVERAGE) -> dict[str, float]:
    """Return the score of each encoder on a task (or the average), by its name in tables."""
    if task not in (*TASKS, AVERAGE):
        raise BadArgument(f"got the task {task!r}, expected one of {', '.join((*TASKS, AVERAGE))}.")
    return {name_of(entry): entry.scores[task] for entry in entries}


def table_one(scores: pd.DataFrame, entries: Sequence[BenchmarkEntry]) -> pd.DataFrame:
    """Correlate each proxy with the GLUE average; best first.

    Columns of :func:`naslib_swap.evaluation.correlate.correlate`, and Spearman's correlation within
    each depth (``within_depth_2``, ...) and within each pair of depth and hidden size
    (``within_2x128``, ...), means over seeds.
    """
    table = correlate(scores, truth_of(entries), {}).copy()
    truth = pd.Series(truth_of(entries))
    for name, members in strata(entries).items():
        inside = truth[truth.index.isin(members)]
        table[name] = [
            _mean_spearman(scores[scores["proxy"] == p], inside, _FEWEST_IN_STRATUM)
            for p in table["proxy"]
        ]
    return table


def strata(entries: Sequence[BenchmarkEntry]) -> dict[str, set[str]]:
    """Group encoders by depth, and by depth and hidden size: column name to names of encoders."""
    groups: dict[str, set[str]] = {}
    kinds: tuple[Callable[[BenchmarkEntry], str], ...] = (
        lambda e: f"within_depth_{len(e.encoder.layers)}",
        lambda e: f"within_{len(e.encoder.layers)}x{e.encoder.hidden_size}",
    )
    for kind in kinds:
        for entry in sorted(entries, key=kind):
            groups.setdefault(kind(entry), set()).add(name_of(entry))
    return groups


def _mean_spearman(scores: pd.DataFrame, truth: pd.Series, fewest: int) -> float:
    """Return the mean over seeds; of those where at least this many encoders have a score."""
    values = scores.pivot(index="arch", columns="seed", values="value").reindex(truth.index)
    found = []
    for seed in values.columns:
        known = values[seed].dropna()
        if len(known) >= fewest:
            found.append(spearman(known.to_numpy(float), truth[known.index].to_numpy(float)))
    return float(np.mean(found)) if found else float("nan")


def task_table(scores: pd.DataFrame, entries: Sequence[BenchmarkEntry]) -> pd.DataFrame:
    """Return Spearman's correlation of each proxy with each task and the average; best first."""
    rows = []
    for proxy, frame in scores.groupby("proxy"):
        by_task = {
            task: _mean_spearman(frame, pd.Series(truth_of(entries, task)), _FEWEST_RANKED)
            for task in (*TASKS, AVERAGE)
        }
        rows.append({"proxy": proxy, **by_task})
    table = pd.DataFrame(rows)
    return table.sort_values([AVERAGE, "proxy"], ascending=[False, True], ignore_index=True)


def released_table(
    scores: pd.DataFrame, released: pd.DataFrame, columns: Mapping[str, str]
) -> pd.DataFrame:
    """Compare our values with the released ones, of the first seed.

    Parameters
    ----------
    scores
        One row per encoder, proxy and seed.
    released
        Released values, indexed by the benchmark's id.
    columns
        Columns of `released`, by proxy.

    Returns
    -------
    DataFrame
        One row per proxy: Spearman's correlation, the share of equal values, the median ratio.
    """
    first = scores[scores["seed"] == scores["seed"].min()]
    rows = []
    for proxy, column in columns.items():
        ours = first[first["proxy"] == proxy].set_index("arch")["value"].dropna()
        if ours.empty:
            continue
        ids = [int(arch.split()[0].lstrip("#")) for arch in ours.index]
        theirs = released.loc[ids, column].to_numpy(float)
        mine = ours.to_numpy(float)
        rows.append(
            {
                "proxy": proxy,
                "released": column,
                "n": len(mine),
                "spearman": spearman(mine, theirs),
                "equal": float(np.mean(mine == theirs)),
                "median_ratio": float(np.median(mine[theirs != 0] / theirs[theirs != 0])),
            }
        )
    return pd.DataFrame(rows)


def presented_table_one(table: pd.DataFrame) -> pd.DataFrame:
    """Return what people read of Table I, as text under headings for people."""
    view = {
        "proxy": [PROXIES[p].title for p in table["proxy"]],
        "Spearman": _numbers(table["spearman"], ".3f"),
        "95 % interval": [
            "" if pd.isna(a) else f"{a:.2f} to {b:.2f}"
            for a, b in zip(table["ci_low"], table["ci_high"])
        ],
        "Kendall": _numbers(table["kendall"], ".3f"),
        "given #params": _numbers(table["spearman_given_params"], ".2f"),
    }
    for column in (c for c in table.columns if c.startswith("within_")):
        heading = column.removeprefix("within_").replace("depth_", "depth ")
        view[heading] = _numbers(table[column], ".2f")
    view["ms/arch"] = _numbers(1000 * table["seconds_per_arch"], ".0f")
    view["failed"] = [str(v) if v else "" for v in table["failed"]]
    return pd.DataFrame(view)


def presented_tasks(table: pd.DataFrame) -> pd.DataFrame:
    """Return the correlations with the tasks as text."""
    view = {"proxy": [PROXIES[p].title for p in table["proxy"]]}
    view.update({t: _numbers(table[t], ".2f") for t in (*TASKS, AVERAGE)})
    return pd.DataFrame(view)


def presented_released(table: pd.DataFrame) -> pd.DataFrame:
    """Return the comparison with the released values as text."""
    return pd.DataFrame(
        {
            "proxy": [PROXIES[p].title for p in table["proxy"]],
            "released column": table["released"],
            "n": [str(n) for n in table["n"]],
            "Spearman": _numbers(table["spearman"], ".3f"),
            "equal": _numbers(table["equal"], ".0%"),
            "median ours / released": _numbers(table["median_ratio"], ".3g"),
        }
    )


def _numbers(values: Iterable[Any], form: str) -> list[str]:
    return ["" if pd.isna(value) else format(value, form) for value in values]


NOTES = (
    "Spearman correlations with the average of the eight GLUE tasks; interval: bootstrap over "
    "encoders. Given #params: with the number of parameters held fixed. Then within each depth and "
    "within each depth x hidden size: what is left of a proxy once the trivial choice is made. "
    "ms/arch: what a proxy costs alone, one thread; SWAP's, without the layers that an encoder "
    "shared with the one before it. No proxy uses GLUE scores or trained weights."
)


def write_tables(out: Path, sections: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> None:
    """Write ``flexibert.md`` and one CSV per section; sections map titles to (numbers, text)."""
    parts = ["# FlexiBERT encoders: zero-cost proxies against GLUE\n"]
    for title, (numbers, view) in sections.items():
        parts += [f"## {as_text(title)}\n", markdown_table(view)]
        name = title.split(":")[0].lower().replace(" ", "-")
        write_text(out / f"{name}.csv", csv_files.written(numbers))
    write_text(out / "flexibert.md", "\n".join([*parts, NOTES + "\n"]))
