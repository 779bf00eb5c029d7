"""Which settings made the columns of a table of scores, kept beside it in NAME.settings.json.

The form that NASLib reads has no place for them, and a column must not mix scores of different
settings: they do not rank together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naslib_swap.errors import SwapError
from naslib_swap.scoring.job import digests_of
from naslib_swap.evaluation.precompute import Table, rows_of
from naslib_swap.scoring.study import Study, settings_of
from naslib_swap.scoring.survey import difference
from naslib_swap.files import write_text

if TYPE_CHECKING:
    import pandas as pd

Columns = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Settings by task and proxy."""


def path_beside(table: Path) -> Path:
    """Where the settings of a table are kept."""
    return table.with_name(f"{table.stem}.settings.json")


def read_columns(table: Path) -> Columns:
    """Read the settings beside a table; none where there is no such file, as beside others' tables.

    Raises
    ------
    SwapError
        If the file is none of this kind.
    """
    path = path_beside(table)
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SwapError(f"cannot read {path}: {error}. Remove it, or name another table.") from None
    if not isinstance(found, dict) or not all(
        isinstance(task, dict) and all(isinstance(column, dict) for column in task.values())
        for task in found.values()
    ):
        raise SwapError(f"{path}: expected settings by task and proxy. Remove it.")
    return found


def write_columns(table: Path, columns: Columns) -> None:
    """Write the settings beside a table."""
    write_text(path_beside(table), json.dumps(columns, indent=1))


def check_columns(study: Study, table: Table, columns: Columns, *, anew: bool) -> None:
    """SwapError where scores of a study would stand in a column with those of other settings.

    Columns of unknown settings, such as those of a benchmark's own table, are taken as they are.
    """
    rows = rows_of(table, study.space, study.task)
    replaced = frozenset(study.archs if anew else ())
    for proxy in study.proxies:
        before = columns.get(study.task, {}).get(proxy)
        kept = sum(proxy in row for arch, row in rows.items() if arch not in replaced)
        if before is None or not kept:
            continue
        differs = difference(before, _settings(study, proxy))
        if differs:
            raise SwapError(
                f"the table holds {kept} score(s) of {proxy} on {study.task} that would stay, made "
                f"with other settings: {differs}. A column of both cannot be ranked: give the same "
                "settings, --anew for all of its architectures, or start another table."
            )


def with_columns(columns: Columns, study: Study, scores: pd.DataFrame) -> Columns:
    """Return the settings with those of the proxies that have new scores."""
    scored = scores.dropna(subset=["value"])["proxy"].unique()
    new = {str(proxy): _settings(study, str(proxy)) for proxy in scored}
    return {**columns, study.task: {**columns.get(study.task, {}), **new}}


def _settings(study: Study, proxy: str) -> dict[str, Any]:
    settings = settings_of(study, proxy, digests_of(study, study.seeds[0]))
    return dict(json.loads(json.dumps(settings, default=float)))
