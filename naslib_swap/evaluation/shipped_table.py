"""Suite-Zero's tables with the columns that come with the package; nothing here imports torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.evaluation.suite_zero_table import settings_beside
from naslib_swap.files import write_text
from naslib_swap.json_files import read_json
from naslib_swap.quoting import listed, one_line
from naslib_swap.scoring import shipped
from naslib_swap.scoring.recipe import Recipe
from naslib_swap.spaces.notation import read_literal

COLUMNS = ("swap", "reg_swap")


class Written(NamedTuple):
    """What `write_columns` did: where, and how many rows of each task have the columns now."""

    path: Path
    filled: Mapping[str, int]
    rows: Mapping[str, int]


def write_columns(
    space: str,
    into: Union[str, Path],
    out: Union[str, Path],
    *,
    images: str = "natural",
    anew: bool = False,
) -> Written:
    """Add SWAP and reg-SWAP, as they come with the package, to a table of Suite-Zero's form.

    Parameters
    ----------
    space
        The search space.
    into
        The table. It stays as it is, unless `out` names it too.
    out
        The table to write, whole or not at all.
    images
        What the networks were scored on: ``natural``, or ``cifar10``.
    anew
        Replace columns of these names; otherwise a table that has them is refused.

    Returns
    -------
    Written
        Where it is, and how many rows of each task were filled.

    Raises
    ------
    BadArgument
        The package has no scores of this space or on these images; the table has the columns.
    BadFile
        The table is none.

    Examples
    --------
    >>> import json, pathlib
    >>> table = {"cifar10": {"(0, 2, 3, 2, 3, 1)": {"val_accuracy": 90.0}}}
    >>> _ = pathlib.Path("zc.json").write_text(json.dumps(table))
    >>> made = write_columns("nasbench201", "zc.json", "zc_swap.json")
    >>> json.loads(made.path.read_text())["cifar10"]["(0, 2, 3, 2, 3, 1)"]["swap"]["score"]
    50032.0
    """
    held = shipped.load(space)
    if held is None:
        raise BadArgument(
            f"no scores of {space} come with the package, expected one of "
            f"{', '.join(shipped.names())}: `naslib-swap precompute` computes some."
        )
    path, table = Path(into), read_json(Path(into), "JSON table")
    flat = isinstance(table, dict) and isinstance(table.get(space), dict)
    tasks = table[space] if flat else table
    if not isinstance(tasks, dict) or not all(
        isinstance(rows, dict) and all(isinstance(row, dict) for row in rows.values())
        for rows in tasks.values()
    ):
        raise BadFile(f"{one_line(path)}: expected an object of tasks, each of architectures.")
    columns = {task: column for task in tasks if (column := _column(held, task, images))}
    if not columns:
        raise BadArgument(
            f"the package has no scores on {images} images of {listed(tasks) or 'no task'} of "
            f"{space}; `naslib-swap scores list` shows what it has."
        )
    filled = {}
    for task, column in columns.items():
        there = sorted({name for row in tasks[task].values() for name in COLUMNS if name in row})
        if there and not anew:
            raise BadArgument(
                f"{one_line(path)} has {' and '.join(there)} for {task} already, expected a table "
                "without, or --anew to replace them: scores of two kinds do not rank together."
            )
        filled[task] = _fill(held, column, task, tasks[task], flat)
    if not any(filled.values()):
        raise BadArgument(
            f"the package has a score of none of the architectures of {one_line(path)}: is it a "
            f"table of {space}?"
        )
    recipes = {task: _recipes(held, column, task) for task, column in columns.items()}
    plain = {task: {name: r.plain() for name, r in of.items()} for task, of in recipes.items()}
    write_text(settings_beside(Path(out)), json.dumps(plain, indent=1))
    write_text(Path(out), json.dumps(table))
    return Written(Path(out), filled, {task: len(tasks[task]) for task in columns})


def _column(held: shipped.Table, task: str, images: str) -> Optional[shipped.Column]:
    """Return the column of a task that was made on some images, under seed 0."""
    of_task = (c for c in held.columns if task in c.variants and c.seed == 0)
    return next((c for c in of_task if c.recipe.source == images), None)


def _recipes(held: shipped.Table, column: shipped.Column, task: str) -> dict[str, Recipe]:
    """Return the recipe of each column of a task."""
    mu, sigma = held.rules[task]
    swap = replace(column.recipe, variant=column.variants[task])
    settings = sorted({**dict(swap.settings), "mu": mu, "sigma": sigma}.items())
    return {"swap": swap, "reg_swap": replace(swap, settings=tuple(settings))}


def _fill(
    held: shipped.Table, column: shipped.Column, task: str, rows: dict[str, Any], flat: bool
) -> int:
    recipes = _recipes(held, column, task)
    count = 0
    for text, row in rows.items():
        for name in COLUMNS:
            row.pop(name, None)
        try:
            place = held.keys.get(str(read_literal(text)))
        except ValueError:
            place = None
        if place is None:
            continue
        scores = {n: held.score(column, task, place, n, recipe) for n, recipe in recipes.items()}
        count += None not in scores.values()
        for name, score in scores.items():
            if score is not None:
                row[name] = score.value if flat else {"score": score.value, "time": score.seconds}
    return count
