"""Accuracies in CSV: a user's own, DARTS-1000, and all architectures of NAS-Bench-201."""

from __future__ import annotations

import re
from pathlib import Path

from naslib_swap.csv_files import read_rows
from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.ground_truth import catalogue
from naslib_swap.ground_truth.table import (
    FAILED,
    GroundTruth,
    Source,
    canonical,
    key_of_record,
    number,
    read_accuracies,
)
from naslib_swap.quoting import listed, one_line, shown

ARCH, ACCURACY = "arch", "val_accuracy"

_UNNAMED = re.compile(r"|Unnamed: \d+(\.\d+)*")
"""No name, and what pandas calls a column that has none."""

_INDEX = frozenset({"index", "idx", "id"})
_MISSING = frozenset({"", "-", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"})
"""Cells without a score, in lower case."""

Columns = dict[str, list[str]]


def load_csv(space: str, task: str, path: Path | None) -> GroundTruth:
    """Load a user's table: columns `arch` and `val_accuracy`; further numeric ones are proxies.

    Parameters
    ----------
    space, task
        What the table is of.
    path
        The file, compressed or not, as its name says.

    Returns
    -------
    GroundTruth
        A cell that is empty, infinite, -1e8 or no number is a missing score. Rows without an
        accuracy, numbered columns without a name, and columns of text are no part of it; `notes`
        says what was left out, except for empty cells and columns without any number.

    Raises
    ------
    SwapError
        The file cannot be read or is too large; `arch` or `val_accuracy` is missing; a text is no
        architecture; one architecture has two accuracies; fewer than three rows have an accuracy.
    """
    if path is None:
        raise BadArgument("the source 'csv' needs a path: that of a table with arch,val_accuracy")
    columns, notes = _without_index(_columns(path), path)
    missing = [column for column in (ARCH, ACCURACY) if column not in columns]
    if missing:
        raise BadFile(
            f"{one_line(path)} lacks the column{'s' if len(missing) > 1 else ''} "
            f"{', '.join(missing)}; expected {ARCH},{ACCURACY}, found {listed(columns)}"
        )
    named = {name: name for name in columns if name not in (ARCH, ACCURACY)}
    return _truth(GroundTruth(space, task, "csv", {}, {}, notes), columns, ACCURACY, named, path)


def load_darts1000(space: str, task: str, path: Path | None) -> GroundTruth:
    """Load the 1000 DARTS genotypes of the SWAP authors: no header; genotype, accuracy."""
    place = catalogue.locate("darts1000") if path is None else path
    rows = read_rows(place)
    if len(rows[0]) != 2:
        raise BadFile(
            f"{one_line(place)}: expected two columns, genotype and accuracy; found {len(rows[0])}"
        )
    genotypes, accuracies = (list(column) for column in zip(*rows))
    columns = {ARCH: genotypes, ACCURACY: accuracies}
    return _truth(GroundTruth(space, task, "darts1000", {}), columns, ACCURACY, {}, place)


def load_nasbench201(space: str, task: str, path: Path | None) -> GroundTruth:
    """Load NAS-Bench-201's own accuracies of all 15,625 architectures, and the stored zen."""
    place = catalogue.locate("nasbench201-all") if path is None else path
    columns = _columns(place)
    wanted = f"{task}:{ACCURACY}"
    if ARCH not in columns or wanted not in columns:
        raise BadFile(
            f"{one_line(place)} lacks the columns {ARCH}, {wanted}; found {listed(columns)}"
        )
    named = {
        column.partition(":")[2]: column
        for column in columns
        if column.startswith(f"{task}:") and column != wanted
    }
    return _truth(GroundTruth(space, task, "nasbench201", {}), columns, wanted, named, place)


def _columns(path: Path) -> Columns:
    names, *rows = read_rows(path)
    names = [name.strip() for name in names]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise BadFile(f"{one_line(path)} has two columns {shown(twice[0], 60)}; rename one")
    if not rows:
        raise BadFile(f"{one_line(path)} holds no rows")
    return {name: list(column) for name, column in zip(names, zip(*rows))}


def _without_index(columns: Columns, path: Path) -> tuple[Columns, tuple[str, ...]]:
    """Leave out columns that only number the rows, as pandas writes them."""
    left_out = [
        name
        for name, cells in columns.items()
        if _UNNAMED.fullmatch(name) or (name.lower() in _INDEX and _counts(cells))
    ]
    if not left_out:
        return columns, ()
    names = listed(name if name else "without a name" for name in left_out)
    note = f"{one_line(path)}: the column {names} numbers the rows and is no proxy; it is left out."
    return {name: cells for name, cells in columns.items() if name not in left_out}, (note,)


def _counts(cells: list[str]) -> bool:
    return any(cells == [str(i) for i in range(first, first + len(cells))] for first in (0, 1))


def _truth(
    bare: GroundTruth, columns: Columns, accuracy: str, named: dict[str, str], path: Path
) -> GroundTruth:
    """Fill in accuracies and proxies; `named` has the column of each proxy."""
    where, key_of = one_line(path), canonical(bare.space)
    keys = [key_of_record(key_of, text, where) for text in columns[ARCH]]
    accuracies, notes = read_accuracies(zip(keys, columns[accuracy]), where)
    notes = (*bare.notes, *notes)
    proxies: dict[str, dict[str, float]] = {}
    for proxy, column in named.items():
        cells = columns[column]
        values = [number(cell) for cell in cells]
        wrong = [cell for cell, value in zip(cells, values) if value is None and _is_text(cell)]
        if len(wrong) * 2 > len([cell for cell in cells if not _is_missing(cell)]):
            if len(wrong) < len(cells) and any(value is not None for value in values):
                notes += (
                    f"{where}: the column {shown(column, 60)} is mostly text, such as "
                    f"{shown(wrong[0], 40)}; it is no proxy.",
                )
            continue
        if wrong:
            notes += (
                f"{where}: {len(wrong)} of {len(cells)} cells of {shown(column, 60)} are no "
                f"numbers, such as {shown(wrong[0], 40)}; these scores are missing.",
            )
        proxies[proxy] = {
            key: value
            for key, value in zip(keys, values)
            if value is not None and key in accuracies
        }
    return GroundTruth(bare.space, bare.task, bare.source, accuracies, proxies, notes)


def _is_missing(cell: str) -> bool:
    return cell.strip().lower() in _MISSING


def _is_text(cell: str) -> bool:
    """Whether a cell without a score holds something else than a failure or nothing."""
    try:
        return not _is_missing(cell) and float(cell) not in (FAILED, float("inf"), float("-inf"))
    except ValueError:
        return True


SOURCE = (
    Source("csv", load_csv),
    Source("darts1000", load_darts1000, ("darts",), ("cifar10",)),
    Source(
        "nasbench201",
        load_nasbench201,
        ("nasbench201",),
        ("cifar10", "cifar100", "ImageNet16-120"),
    ),
)
