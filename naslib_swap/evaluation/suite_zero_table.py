"""Tables of scores in the form of NAS-Bench-Suite-Zero, which NASLib reads.

``{task: {arch: {proxy: {"score", "time"}, "val_accuracy"}}}``. NAS-Bench-101's table nests one
level deeper, under the name of the space, and holds plain numbers; NAS-Bench-301's keys are lists.
A score that failed is left out: the -1e8 that NASLib's own scripts store would count as a value.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naslib_swap import spaces
from naslib_swap.errors import BadFile
from naslib_swap.ground_truth.table import canonical
from naslib_swap.json_files import read_json

if TYPE_CHECKING:
    import pandas as pd

Table = dict[str, Any]


def read_table(path: Path, space: str) -> Table:
    """Read a table of this form; BadFile where the file is none, or of another space."""
    table = read_json(path, "JSON table")
    tasks = table.get(space, table) if isinstance(table, dict) else None
    if not isinstance(tasks, dict) or not all(
        isinstance(rows, dict) and all(isinstance(row, dict) for row in rows.values())
        for rows in tasks.values()
    ):
        raise BadFile(f"{path}: expected an object of tasks, each an object of architectures.")
    parse = canonical(space)
    for rows in tasks.values():
        for key in list(rows)[:1]:
            parse(key)  # of another space: BadFile
    return dict(table)


def settings_beside(table: Path) -> Path:
    """Return where the recipes of a table's columns are kept."""
    return table.with_name(f"{table.stem}.settings.json")


def rows_of(table: Table, space: str, task: str) -> dict[str, dict[str, Any]]:
    """Return the rows of one task, by the canonical string of each architecture."""
    tasks = table.get(space, table) if spaces.get(space).flat_tables else table
    parse = canonical(space)
    return {parse(key): row for key, row in tasks.get(task, {}).items()}


def merged(
    table: Table,
    scores: pd.DataFrame,
    accuracy: Mapping[str, float],
    *,
    space: str,
    task: str,
    anew: bool = False,
) -> Table:
    """Return a copy of the table with scores of one task added.

    ``scores`` has columns ``arch, proxy, value, seconds``; rows without a value are left out.
    Scores that the table already has stay, unless ``anew``: then they are replaced, or removed
    where the new score failed. Architectures keep their key in the table; new ones get the key that
    NASLib makes, and their accuracy where it is known.
    """
    result = copy.deepcopy(table)
    flat = spaces.get(space).flat_tables
    tasks = result.setdefault(space, {}) if flat else result
    rows = tasks.setdefault(task, {})
    parse = canonical(space)
    keys = {parse(key): key for key in rows}
    failed = scores[scores["value"].isna()] if anew else scores[:0]
    for arch, proxy in zip(failed["arch"], failed["proxy"]):
        rows.get(keys.get(arch, ""), {}).pop(proxy, None)
    for arch, found in scores.dropna(subset=["value"]).groupby("arch", sort=True):
        key = keys.get(str(arch)) or naslib_key(space, str(arch))
        row = rows.setdefault(key, {})
        if str(arch) in accuracy:
            row.setdefault("val_accuracy", accuracy[str(arch)])
        for proxy, value, seconds in zip(found["proxy"], found["value"], found["seconds"]):
            if anew or proxy not in row:
                score = float(value)
                row[proxy] = score if flat else {"score": score, "time": float(seconds)}
    return result


def naslib_key(space: str, arch: str) -> str:
    """Return the key under which NASLib looks an architecture up."""
    found = spaces.get(space)
    return found.naslib_key(found.parse(arch))


def without_accuracy(table: Table, space: str, task: str) -> int:
    """Count the architectures of a task that have scores but no accuracy."""
    return sum("val_accuracy" not in row for row in rows_of(table, space, task).values())
