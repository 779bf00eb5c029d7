"""From stored scores of encoders to tables: Table I, the eight tasks, and within each depth."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pandas as pd

from naslib_swap.errors import SwapError
from naslib_swap.evaluation.correlate import correlate
from naslib_swap.evaluation.statistics import spearman
from naslib_swap.scoring.store import read_records
from naslib_swap.scoring.survey import key_of
from naslib_swap.files import write_text
from naslib_swap.flexibert.batches import TextBatch
from naslib_swap.flexibert.benchmark import AVERAGE, TASKS, BenchmarkEntry
from naslib_swap.flexibert.encoder import encode
from naslib_swap.flexibert.scoring import TITLES, Settings, wanted_keys

_COLUMNS = ("space", "task", "proxy", "arch", "seed", "value", "saturation", "seconds", "error")


def name_of(entry: BenchmarkEntry) -> str:
    """Return the name under which an entry's scores are stored: its id and its notation."""
    return f"#{entry.id} {encode(entry.encoder)}"


def scores_of(
    path: str | os.PathLike[str],
    archs: Iterable[str],
    proxies: Iterable[str],
    seeds: Iterable[int],
    settings: Settings,
    batch: TextBatch,
) -> pd.DataFrame:
    """Return the stored scores of these encoders, proxies, seeds and settings, one row each."""
    wanted = wanted_keys(archs, proxies, seeds, settings, batch)
    found = {key_of(r): r for r in read_records(path) if key_of(r) in wanted}
    frame = pd.DataFrame(found.values(), columns=list(_COLUMNS))
    # The order of writing depends on the workers; the tables must not.
    frame = frame.sort_values(["proxy", "seed", "arch"], ignore_index=True)
    return frame.astype({"value": float, "saturation": float, "seconds": float})


def truth_of(entries: Sequence[BenchmarkEntry], task: str = AVERAGE) -> dict[str, float]:
    """Return the score of each encoder on a task (or the average), by its name in the store."""
    if task not in (*TASKS, AVERAGE):
        raise SwapError(f"unknown task {task!r}; expected {', '.join((*TASKS, AVERAGE))}")
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
        table[name] = [_within(scores[scores["proxy"] == p], inside) for p in table["proxy"]]
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


def _within(scores: pd.DataFrame, truth: pd.Series) -> float:
    values = scores.pivot(index="arch", columns="seed", values="value").reindex(truth.index)
    found = []
    for seed in values.columns:
        known = values[seed].dropna()
        if len(known) >= 5:
            found.append(spearman(known.to_numpy(float), truth[known.index].to_numpy(float)))
    return float(np.mean(found)) if found else float("nan")


def task_table(scores: pd.DataFrame, entries: Sequence[BenchmarkEntry]) -> pd.DataFrame:
    """Return Spearman's correlation of each proxy with each task and the average; best first."""
    rows = []
    for proxy, frame in scores.groupby("proxy"):
        by_task = {
            task: _within(frame, pd.Series(truth_of(entries, task))) for task in (*TASKS, AVERAGE)
        }
        rows.append({"proxy": proxy, **by_task})
    table = pd.DataFrame(rows)
    return table.sort_values([AVERAGE, "proxy"], ascending=[False, True], ignore_index=True)


def released_table(
    scores: pd.DataFrame, released: pd.DataFrame, columns: Mapping[str, str]
) -> pd.DataFrame:
    """Compare our values with the released ones, of the first seed.

    ``columns`` maps proxies to columns of ``released``, which is indexed by the benchmark's id.
    Gives Spearman's correlation, the share of equal values and the median ratio, a row a proxy.
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
        "proxy": [TITLES[p] for p in table["proxy"]],
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
    view = {"proxy": [TITLES[p] for p in table["proxy"]]}
    view.update({t: _numbers(table[t], ".2f") for t in (*TASKS, AVERAGE)})
    return pd.DataFrame(view)


def presented_released(table: pd.DataFrame) -> pd.DataFrame:
    """Return the comparison with the released values as text."""
    return pd.DataFrame(
        {
            "proxy": [TITLES[p] for p in table["proxy"]],
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


def markdown_table(view: pd.DataFrame) -> str:
    """Return a frame of text as a Markdown table, numbers to the right."""
    lines = ["| " + " | ".join(view.columns) + " |"]
    lines.append("|" + "|".join(["---"] + ["---:"] * (len(view.columns) - 1)) + "|")
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in view.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def write_tables(out: Path, sections: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> None:
    """Write ``flexibert.md`` and a CSV a section; sections map titles to (numbers, text)."""
    parts = ["# FlexiBERT encoders: zero-cost proxies against GLUE\n"]
    for title, (numbers, view) in sections.items():
        parts += [f"## {title}\n", markdown_table(view)]
        name = title.split(":")[0].lower().replace(" ", "-")
        write_text(out / f"{name}.csv", numbers.to_csv(index=False, float_format="%.6g"))
    write_text(out / "flexibert.md", "\n".join([*parts, NOTES + "\n"]))
