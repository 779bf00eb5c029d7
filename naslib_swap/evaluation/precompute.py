"""Scoring architectures into tables that NASLib reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Union

from naslib_swap.errors import BadArgument, BadFile, Unscorable
from naslib_swap.evaluation import column_recipes
from naslib_swap.evaluation.plan import PrecomputePlan
from naslib_swap.evaluation.planning import checked_together, study_with
from naslib_swap.evaluation.suite_zero_table import (
    Table,
    merged,
    read_table,
    rows_of,
    without_accuracy,
)
from naslib_swap.files import write_text
from naslib_swap.ground_truth.table import canonical, key_of_record
from naslib_swap.quoting import one_line
from naslib_swap.reading import read_text
from naslib_swap.scoring.execution import Execution
from naslib_swap.scoring.runs import run
from naslib_swap.scoring.store import LineStore
from naslib_swap.scoring.study import Study, gather, nothing_scored, sample_architectures

if TYPE_CHECKING:
    import pandas as pd


class Precomputed(NamedTuple):
    """The result of `precompute`.

    Attributes
    ----------
    path, table
        Where the table was written, and the table.
    scores
        The new scores of each task: one row per architecture and proxy.
    remarks
        What a user should be warned of.
    """

    path: Path
    table: Table
    scores: list[pd.DataFrame]
    remarks: tuple[str, ...]


def precompute(
    plan: PrecomputePlan,
    out: Union[str, Path, None] = None,
    *,
    execution: Execution | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], None] = lambda text: None,
) -> Precomputed:
    """Score architectures and write NAS-Bench-Suite-Zero's JSON, for NASLib and others.

    Scores are kept beside the table (NAME.scores.jsonl) as they come: run again, it goes on where
    it was cut off. What made each column is kept in NAME.settings.json: scores of other settings
    are not added to it.

    Parameters
    ----------
    plan
        What to score.
    out
        The table to write, or to add to where it exists; None for ``zc_SPACE_swap.json``.
    execution
        Where it is computed; None in this process.
    progress
        Called with the number of jobs done and the number there are.
    note
        Called with what a user should know.

    Returns
    -------
    Precomputed
        Where the table is, and what is in it.

    Raises
    ------
    Unscorable
        If every score failed and the table would hold none.
    SwapError
        A plan that cannot be met, a table that is not one or was made with other settings.

    Examples
    --------
    >>> from naslib_swap import PrecomputePlan, precompute
    >>> made = precompute(PrecomputePlan(archs=3, proxies=("params",)), "zc_mine.json")
    >>> made.path.exists(), len(made.table["cifar10"])
    (True, 3)
    """
    target = Path(out) if out is not None else Path(f"zc_{plan.space}_swap.json")
    if target.is_dir():
        raise BadArgument(f"got the folder {target} for --out, expected the name of a JSON file.")
    # What the target holds already is added to as well: another task does not end the one before.
    before = Path(plan.into) if plan.into else (target if target.exists() else None)
    table = read_table(before, plan.space) if before else {}
    columns = column_recipes.read_columns(before) if before else {}
    chosen, studies = [], []
    for task in plan.task.split(","):
        one = replace(plan, task=task.strip())
        chosen.append(_chosen(one, table if plan.into else None))
        study = study_with(one, chosen[-1].archs)
        column_recipes.check_columns(study, table, columns, anew=plan.anew)
        studies.append(study if plan.anew else lacking(study, table))
    checked_together(studies)

    remarks = []
    with LineStore(target.with_name(f"{target.stem}.scores.jsonl"), note) as store:
        run(studies, store, execution, progress=progress, note=note)
        frames = gather(studies, store)
        message = nothing_scored(frames)
        # Where a table has all but a few, these may be the ones that always fail: no fault then.
        if message and not any(_holds_any(table, study) for study in studies):
            raise Unscorable(f"{message}. --retry-failed tries again.")
        for study, found, scores in zip(studies, chosen, frames):
            table = merged(
                table, scores, found.accuracy, space=plan.space, task=study.task, anew=plan.anew
            )
            columns = column_recipes.with_columns(columns, study, scores)
            blank = without_accuracy(table, plan.space, study.task)
            remarks += _remarks(study.task, scores, blank)
        column_recipes.write_columns(target, columns)
        write_text(target, json.dumps(table))
    return Precomputed(target, table, frames, tuple(remarks))


class _Chosen(NamedTuple):
    """Architectures (the space's own notation), and accuracies as far as they are known."""

    archs: tuple[str, ...]
    accuracy: Mapping[str, float]


def _chosen(plan: PrecomputePlan, table: Table | None) -> _Chosen:
    """Return the architectures of one task: those listed, those of the table, or those known."""
    named = plan.truth is not None or plan.truth_file is not None
    listed = plan.archs_file
    known = plan.accuracies().accuracy if named or (table is None and listed is None) else {}
    rows: Iterable[str] = known if table is None else rows_of(table, plan.space, plan.task)
    if listed is not None:
        rows = _listed(Path(listed), plan.space)
    elif table is not None and not rows:
        raise BadArgument(f"the table has no architectures of {plan.task}; list some in a file.")
    return _Chosen(sample_architectures(tuple(rows), plan.archs, seed=0, least=1), known)


def _listed(path: Path, space: str) -> tuple[str, ...]:
    name, key_of = one_line(path), canonical(space)
    lines = filter(None, map(str.strip, read_text(path).splitlines()))
    found = dict.fromkeys(key_of_record(key_of, line, name) for line in lines)
    if not found:
        raise BadFile(f"{name} lists no architectures, expected one per line.")
    return tuple(found)


def lacking(study: Study, table: Table) -> Study:
    """Return the part of a study that covers every score which the table does not have yet."""
    rows = rows_of(table, study.space, study.task)
    pairs = [(a, p) for a in study.subjects for p in study.proxies if p not in rows.get(a, {})]
    archs, proxies = {a for a, _ in pairs}, {p for _, p in pairs}
    return replace(
        study,
        subjects={a: subject for a, subject in study.subjects.items() if a in archs},
        proxies=tuple(p for p in study.proxies if p in proxies),
    )


def _holds_any(table: Table, study: Study) -> bool:
    """Return whether the table has a score of one of the study's proxies on its task."""
    rows = rows_of(table, study.space, study.task).values()
    return any(proxy in row for row in rows for proxy in study.proxies)


def _remarks(task: str, scores: pd.DataFrame, blank: int) -> list[str]:
    found = [
        f"{task}: {proxy} failed on {len(errors)} architectures and is left out there: "
        f"{errors.iloc[0]}"
        for proxy, errors in scores[scores["error"].notna()].groupby("proxy")["error"]
    ]
    if blank:
        found.append(
            f"{task}: {blank} architectures have no val_accuracy, which NASLib's runners read; "
            "name their accuracies with --truth or --truth-file."
        )
    return found
