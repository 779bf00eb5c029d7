"""Parameter counts equal NAS-Bench-Suite-Zero's `params`, for every architecture in its tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from naslib_swap import spaces

TRANSBENCH = sorted(
    (name, task)
    for name in ("transbench101_macro", "transbench101_micro")
    for task in spaces.get(name).tasks
)


@pytest.mark.parametrize(
    ("space", "variant", "rows"),
    [("nasbench101", "full", 500), ("nasbench301", "suite-zero", 1218)],
)
def test_cell_spaces(data_dir: Path, space: str, variant: str, rows: int) -> None:
    table = pd.read_csv(data_dir / "tables" / f"{space}__cifar10.csv.gz")
    assert len(table) == rows
    known = spaces.get(space)
    archs = [known.parse(text) for text in table["arch"]]
    assert [known.encode(arch) for arch in archs] == list(table["arch"])
    counted = [known.parameters(arch, variant=variant) for arch in archs]
    np.testing.assert_array_equal(counted, np.rint(table["params"].to_numpy() * 1e6))


@pytest.mark.parametrize(("space", "task"), TRANSBENCH)
def test_transbench101(data_dir: Path, space: str, task: str) -> None:
    entries = json.loads((data_dir / "naslib" / f"zc_{space}.json").read_text())[task]
    known, spec = spaces.get(space), spaces.get(space).task(task)
    assert len(entries) > 600
    for text, entry in entries.items():
        arch = known.parse(text)
        assert known.encode(arch) == text
        counted = known.parameters(arch, variant=spec.variant, num_classes=spec.num_classes)
        assert counted == round(number(entry["params"]) * 1e6), text


def number(value: Any) -> float:
    return float(value["score"] if isinstance(value, dict) else value)
