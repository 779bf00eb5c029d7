"""Several tasks at a glance: one row per proxy, one column per task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from naslib_swap.evaluation.report import Outcome


def overview(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return Spearman's correlation of each computed row on each task, best mean first.

    Returns
    -------
    DataFrame
        Indexed by proxy; a column per task, then ``mean``, ``worst`` and ``tasks``: how many of
        the tasks the two are of. A row that some task has not got comes after those that all have.
    """
    columns = {}
    for outcome in outcomes:
        rows = outcome.table[outcome.table["source"] != "stored"]
        columns[f"{outcome.space} / {outcome.task}"] = rows.set_index("proxy")["spearman"]
    found = pd.DataFrame(columns)
    table = found.assign(
        mean=found.mean(axis=1), worst=found.min(axis=1), tasks=found.notna().sum(axis=1)
    )
    table = table[table["tasks"] > 0].rename_axis("proxy")
    return table.sort_values(["tasks", "mean"], ascending=False)
