"""NAS-Bench-Suite-Zero's tables of accuracies and proxies (Krishnakumar et al., 2022).

The files differ: NAS-Bench-101's nests one level deeper and stores flat floats instead of
`{"score", "time"}`; NAS-Bench-301's keys are nested lists; a proxy that failed is stored as -1e8.
The accuracies of TransNAS-Bench-101 are the best over the epochs, not those of the last one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from naslib_swap import spaces
from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.ground_truth import catalogue
from naslib_swap.ground_truth.table import GroundTruth, Source, canonical, number, read_accuracies
from naslib_swap.json_files import read_json
from naslib_swap.quoting import listed, one_line, shown

_NO_PROXIES = frozenset({"idx", "arch", "val_accuracy"})


def load_suite_zero(space: str, task: str, path: Path | None) -> GroundTruth:
    """Load one task of one table; `path` names the file where it is not the catalogue's."""
    if path is None:
        name = spaces.get(space).suite_zero
        if not name:
            known = [other for other in spaces.names() if spaces.get(other).suite_zero]
            raise BadArgument(
                f"Suite-Zero has no table of the space {space!r}; expected one of "
                f"{', '.join(known)}, or a path"
            )
        path = catalogue.locate(name)
    name = one_line(path)
    tables = _read(path)
    if set(tables) == {space}:
        tables = tables[space]
    rows = tables.get(task)
    if not isinstance(rows, dict):
        raise BadFile(f"{name} has no task {task!r}; it holds {listed(tables) or 'none'}")
    key_of = canonical(space)
    keys = {text: key_of(text) for text in rows}
    for text, row in rows.items():
        accuracy = row.get("val_accuracy") if isinstance(row, dict) else None
        if isinstance(accuracy, bool) or not isinstance(accuracy, (int, float)):
            raise BadFile(f"{name}: {task}, {shown(text, 100)}: expected a number as val_accuracy")
    accuracies, notes = read_accuracies(
        ((keys[text], row["val_accuracy"]) for text, row in rows.items()), name
    )
    proxies: dict[str, dict[str, float]] = {}
    for text, row in rows.items():
        for proxy in row.keys() - _NO_PROXIES:
            value = _score(row[proxy])
            if value is not None and keys[text] in accuracies:
                proxies.setdefault(proxy, {})[keys[text]] = value
    return GroundTruth(space, task, "suite-zero", accuracies, dict(sorted(proxies.items())), notes)


def _score(stored: Any) -> float | None:
    value = stored.get("score") if isinstance(stored, dict) else stored
    return None if isinstance(value, str) else number(value)


def _read(path: Path) -> dict[str, Any]:
    tables = read_json(path, "JSON table")
    if not isinstance(tables, dict) or not all(
        isinstance(table, dict) for table in tables.values()
    ):
        raise BadFile(
            f"{one_line(path)}: expected an object of tasks, each an object of architectures"
        )
    return tables


SOURCE = Source("suite-zero", load_suite_zero)
