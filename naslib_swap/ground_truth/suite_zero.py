"""NAS-Bench-Suite-Zero's tables of accuracies and proxies (Krishnakumar et al., 2022).

The files differ: NAS-Bench-101's nests one level deeper and stores flat floats instead of
`{"score", "time"}`; NAS-Bench-301's keys are nested lists; a proxy that failed is stored as -1e8.
The accuracies of TransNAS-Bench-101 are the best over the epochs, not those of the last one.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from naslib_swap import spaces
from naslib_swap.errors import SwapError
from naslib_swap.ground_truth import catalogue
from naslib_swap.ground_truth.table import GroundTruth, Source, add_accuracy, canonical

FAILED = -1e8
"""What the tables store for a proxy that could not be computed."""

_NO_PROXIES = frozenset({"idx", "arch", "val_accuracy"})


def load_suite_zero(space: str, task: str, path: Path | None) -> GroundTruth:
    """Load one task of one table; `path` names the file where it is not the catalogue's."""
    if path is None:
        name = spaces.get(space).suite_zero
        if not name:
            known = [other for other in spaces.names() if spaces.get(other).suite_zero]
            raise SwapError(
                f"Suite-Zero has no table of the space {space!r}; expected one of "
                f"{', '.join(known)}, or a path"
            )
        path = catalogue.locate(name)
    tables = _read(path)
    if set(tables) == {space}:
        tables = tables[space]
    if task not in tables:
        raise SwapError(f"{path} has no task {task!r}; it holds {', '.join(tables)}")
    key_of = canonical(space)
    accuracy: dict[str, float] = {}
    proxies: dict[str, dict[str, float]] = {}
    for text, row in tables[task].items():
        if not isinstance(row, dict) or not isinstance(row.get("val_accuracy"), (int, float)):
            raise SwapError(f"{path}: {task}, {text}: expected a number as val_accuracy")
        key = key_of(text)
        add_accuracy(accuracy, key, float(row["val_accuracy"]), str(path))
        for name in row.keys() - _NO_PROXIES:
            value = _score(row[name])
            if value is not None:
                proxies.setdefault(name, {})[key] = value
    return GroundTruth(space, task, "suite-zero", accuracy, dict(sorted(proxies.items())))


def _score(stored: Any) -> float | None:
    value = stored.get("score") if isinstance(stored, dict) else stored
    if not isinstance(value, (int, float)) or value == FAILED or not math.isfinite(value):
        return None
    return float(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        tables = json.loads(path.read_bytes())
    except OSError as error:
        raise SwapError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise SwapError(f"{path} is no JSON table: {error}") from error
    if not isinstance(tables, dict) or not all(
        isinstance(table, dict) for table in tables.values()
    ):
        raise SwapError(f"{path}: expected an object of tasks, each an object of architectures")
    return tables


SOURCE = Source("suite-zero", load_suite_zero)
