"""Accuracies in CSV: a user's own, DARTS-1000, and all architectures of NAS-Bench-201."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from naslib_swap.errors import SwapError
from naslib_swap.ground_truth import catalogue
from naslib_swap.ground_truth.table import GroundTruth, Source, add_accuracy, canonical

if TYPE_CHECKING:
    import pandas as pd

ARCH, ACCURACY = "arch", "val_accuracy"


def load_csv(space: str, task: str, path: Path | None) -> GroundTruth:
    """Load a user's table: columns `arch` and `val_accuracy`; further numeric ones are proxies.

    An empty cell of a proxy is a missing score. Cells are compressed or not, as the name says.
    """
    if path is None:
        raise SwapError("the source 'csv' needs a path: that of a table with arch,val_accuracy")
    frame = _read(path)
    missing = [column for column in (ARCH, ACCURACY) if column not in frame.columns]
    if missing:
        raise SwapError(
            f"{path} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"expected {ARCH},{ACCURACY}, found {', '.join(map(str, frame.columns))}"
        )
    key_of = canonical(space)
    keys = [key_of(str(text)) for text in frame[ARCH]]
    accuracy = _accuracies(keys, frame[ACCURACY], path)
    proxies = {
        str(column): {
            key: float(value) for key, value in zip(keys, frame[column]) if math.isfinite(value)
        }
        for column in frame.select_dtypes("number").columns
        if column != ACCURACY
    }
    return GroundTruth(space, task, "csv", accuracy, proxies)


def load_darts1000(space: str, task: str, path: Path | None) -> GroundTruth:
    """Load the 1000 DARTS genotypes of the SWAP authors: no header; genotype, accuracy."""
    place = catalogue.locate("darts1000") if path is None else path
    frame = _read(place, header=None)
    if frame.shape[1] != 2:
        raise SwapError(
            f"{place}: expected two columns, genotype and accuracy; found {frame.shape[1]}"
        )
    key_of = canonical(space)
    keys = [key_of(str(text)) for text in frame[0]]
    return GroundTruth(space, task, "darts1000", _accuracies(keys, frame[1], place))


def load_nasbench201(space: str, task: str, path: Path | None) -> GroundTruth:
    """Load NAS-Bench-201's own accuracies of all 15,625 architectures, and the stored zen."""
    place = catalogue.locate("nasbench201-all") if path is None else path
    frame = _read(place)
    wanted = f"{task}:{ACCURACY}"
    if ARCH not in frame.columns or wanted not in frame.columns:
        raise SwapError(
            f"{place} lacks the columns {ARCH}, {wanted}; "
            f"found {', '.join(map(str, frame.columns))}"
        )
    key_of = canonical(space)
    keys = [key_of(str(text)) for text in frame[ARCH]]
    proxies = {
        column.partition(":")[2]: {
            key: float(value) for key, value in zip(keys, frame[column]) if math.isfinite(value)
        }
        for column in frame.columns
        if column.startswith(f"{task}:") and column != wanted
    }
    return GroundTruth(space, task, "nasbench201", _accuracies(keys, frame[wanted], place), proxies)


def _accuracies(keys: list[str], column: pd.Series, path: Path) -> dict[str, float]:
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(column):
        wrong = next(value for value in column if not _is_number(value))
        raise SwapError(f"{path}: {wrong!r} is no accuracy; expected numbers")
    accuracy: dict[str, float] = {}
    for key, value in zip(keys, column):
        add_accuracy(accuracy, key, float(value), str(path))
    return accuracy


def _is_number(value: object) -> bool:
    import pandas as pd

    return bool(pd.notna(pd.to_numeric(pd.Series([value]), errors="coerce")).all())


def _read(path: Path, header: int | None = 0) -> pd.DataFrame:
    import pandas as pd

    try:
        frame = pd.read_csv(path, header=header)
    except (OSError, EOFError, ValueError) as error:
        # pandas' own parser errors are ValueErrors.
        raise SwapError(f"{path} cannot be read as CSV: {error}") from error
    if frame.empty:
        raise SwapError(f"{path} holds no rows")
    return frame


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
