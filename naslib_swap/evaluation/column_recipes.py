"""What made the columns of a table of scores, kept beside it in NAME.settings.json.

The form that NASLib reads has no place for it, and a column must not mix scores of different
recipes: they do not rank together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.evaluation.suite_zero_table import Table, rows_of, settings_beside
from naslib_swap.files import write_text
from naslib_swap.json_files import read_json
from naslib_swap.scoring.recipe import Recipe
from naslib_swap.scoring.study import Study, recipes_of

if TYPE_CHECKING:
    import pandas as pd

Columns = Mapping[str, Mapping[str, Recipe]]
"""Recipes by task and proxy."""


def read_columns(table: Path) -> Columns:
    """Read the recipes beside a table; none where there is no such file, as for others' tables.

    Raises
    ------
    BadFile
        If the file is not of this kind, or of an earlier version.
    """
    path = settings_beside(table)
    if not path.exists():
        return {}
    try:
        found = read_json(path)
        return {
            task: {proxy: Recipe.read(plain) for proxy, plain in columns.items()}
            for task, columns in found.items()
        }
    except (ValueError, AttributeError, TypeError) as error:
        raise BadFile(
            f"cannot read {path}: {str(error)[:200]}. It is damaged, or an earlier version wrote "
            "it, whose scores do not rank with today's: give another --out."
        ) from None


def write_columns(table: Path, columns: Columns) -> None:
    """Write the recipes beside a table."""
    plain = {
        task: {proxy: recipe.plain() for proxy, recipe in found.items()}
        for task, found in columns.items()
    }
    write_text(settings_beside(table), json.dumps(plain, indent=1))


def check_columns(study: Study, table: Table, columns: Columns, *, anew: bool) -> None:
    """Raise BadArgument where a column would mix a study's scores with those of other recipes.

    Columns of unknown recipes, such as those of a benchmark's own table, are not checked.
    """
    rows = rows_of(table, study.space, study.task)
    replaced = frozenset(study.subjects if anew else ())
    for (proxy, _), recipe in recipes_of(study).items():
        before = columns.get(study.task, {}).get(proxy)
        kept = sum(proxy in row for arch, row in rows.items() if arch not in replaced)
        if before is None or not kept:
            continue
        differs = before.difference(recipe)
        if differs:
            raise BadArgument(
                f"the table holds {kept} score(s) of {proxy} on {study.task} that would stay, made "
                f"with other settings: {differs}. A column of both cannot be ranked: give the same "
                "settings, --anew for all of its architectures, or start another table."
            )


def with_columns(columns: Columns, study: Study, scores: pd.DataFrame) -> Columns:
    """Return the recipes with those of the proxies that have new scores."""
    scored = set(scores.dropna(subset=["value"])["proxy"])
    new = {proxy: recipe for (proxy, _), recipe in recipes_of(study).items() if proxy in scored}
    return {**columns, study.task: {**columns.get(study.task, {}), **new}}
