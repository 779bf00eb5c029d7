"""Tables of scores in the form of NAS-Bench-Suite-Zero, which NASLib reads.

``{task: {arch: {proxy: {"score", "time"}, "val_accuracy"}}}``. NAS-Bench-101's table nests one
level deeper, under the name of the space, and holds plain numbers; NAS-Bench-301's keys are lists.
A score that failed is left out: the -1e8 that NASLib's own scripts store would rank.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from naslib_swap import spaces
from naslib_swap.errors import SwapError
from naslib_swap.evaluation.plan import Plan, truth_of
from naslib_swap.evaluation.study import Study, sample_architectures
from naslib_swap.ground_truth.table import canonical
from naslib_swap.reading import read_text

Table = dict[str, Any]


class Chosen(NamedTuple):
    """Architectures (canonical strings), and accuracies as far as they are known."""

    archs: tuple[str, ...]
    accuracy: Mapping[str, float]


_FLAT_AND_NESTED = "nasbench101"
_LISTS = "nasbench301"


def read_table(path: Path, space: str) -> Table:
    """Read a table of this form; SwapError where the file is none, or of another space."""
    try:
        table = json.loads(path.read_bytes())
    except OSError as error:
        raise SwapError(f"cannot read {path}: {error.strerror or error}.") from None
    except ValueError as error:
        raise SwapError(f"{path} is no JSON table: {error}.") from None
    tasks = table.get(space, table) if isinstance(table, dict) else None
    if not isinstance(tasks, dict) or not all(
        isinstance(rows, dict) and all(isinstance(row, dict) for row in rows.values())
        for rows in tasks.values()
    ):
        raise SwapError(f"{path}: expected an object of tasks, each an object of architectures.")
    parse = canonical(space)
    for rows in tasks.values():
        for key in list(rows)[:1]:
            parse(key)  # of another space: SwapError
    return dict(table)


def rows_of(table: Table, space: str, task: str) -> dict[str, dict[str, Any]]:
    """The rows of one task, by the canonical string of each architecture."""
    tasks = table.get(space, table) if space == _FLAT_AND_NESTED else table
    parse = canonical(space)
    return {parse(key): row for key, row in tasks.get(task, {}).items()}


def chosen(plan: Plan, table: Table | None, listed: Path | None) -> Chosen:
    """The architectures of one task: those listed, those of the table, or those with an accuracy.

    Raises
    ------
    SwapError
        A list that cannot be read, is empty or holds what the space cannot parse; more
        architectures than there are; unknown accuracies.
    """
    named = plan.truth is not None or plan.truth_file is not None
    known = truth_of(plan).accuracy if named or (table is None and listed is None) else {}
    if listed is not None:
        return Chosen(_listed(listed, plan.space), known)
    rows = known if table is None else rows_of(table, plan.space, plan.task)
    if table is not None and not rows:
        raise SwapError(f"the table has no architectures of {plan.task}; list some in a file.")
    return Chosen(sample_architectures(tuple(rows), plan.archs, seed=0), known)


def _listed(path: Path, space: str) -> tuple[str, ...]:
    lines = read_text(path).splitlines()
    parse = canonical(space)
    found = dict.fromkeys(parse(line.strip()) for line in lines if line.strip())
    if not found:
        raise SwapError(f"{path} lists no architectures, expected one a line.")
    return tuple(found)


def lacking(study: Study, table: Table) -> Study:
    """The part of a study that covers every score which the table does not have yet."""
    rows = rows_of(table, study.space, study.task)
    pairs = [(a, p) for a in study.archs for p in study.proxies if p not in rows.get(a, {})]
    archs, proxies = {a for a, _ in pairs}, {p for _, p in pairs}
    return replace(
        study,
        archs=tuple(a for a in study.archs if a in archs),
        proxies=tuple(p for p in study.proxies if p in proxies),
    )


def holds_any(table: Table, study: Study) -> bool:
    """Whether the table has a score of one of the study's proxies on its task."""
    rows = rows_of(table, study.space, study.task).values()
    return any(proxy in row for row in rows for proxy in study.proxies)


def merged(
    table: Table,
    scores: pd.DataFrame,
    accuracy: Mapping[str, float],
    *,
    space: str,
    task: str,
    anew: bool = False,
) -> Table:
    """Return the table with scores of one task added; the given one stays as it is.

    ``scores`` has columns ``arch, proxy, value, seconds``; rows without a value are left out.
    Scores that the table has already stay, unless ``anew``: then they are replaced, and go where
    the new one failed. Architectures keep the key that the table knows them by; new ones get the
    key that NASLib makes, and their accuracy where it is known.
    """
    result = copy.deepcopy(table)
    tasks = result.setdefault(space, {}) if space == _FLAT_AND_NESTED else result
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
                flat = space == _FLAT_AND_NESTED
                row[proxy] = score if flat else {"score": score, "time": float(seconds)}
    return result


def naslib_key(space: str, arch: str) -> str:
    """The key under which NASLib looks an architecture up."""
    if space != _LISTS:
        return arch
    cells: Any = spaces.get(space).parse(arch)
    return str([list(cell) for cell in cells])


def without_accuracy(table: Table, space: str, task: str) -> int:
    """How many architectures of a task have scores but no accuracy."""
    return sum("val_accuracy" not in row for row in rows_of(table, space, task).values())
