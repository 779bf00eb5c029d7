"""ViTBench-101 (Wei et al., AAAI 2024): 100 AutoFormer and 100 PiT networks on three data sets.

Each network was trained twice: alone ("base"), and with a teacher ("kd"), which is what the authors
compare proxies with. On CIFAR-100 the two rank AutoFormer networks against each other.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from naslib_swap.errors import BadFile
from naslib_swap.ground_truth import catalogue
from naslib_swap.ground_truth.layer_sizes import layer_sizes
from naslib_swap.ground_truth.table import (
    GroundTruth,
    Source,
    canonical,
    key_of_record,
    read_accuracies,
)
from naslib_swap.quoting import one_line
from naslib_swap.restricted_pickle import load_torch_pickle

FILES = {"vitbench_autoformer": "vitbench-autoformer", "pit": "vitbench-pit"}
COLUMNS = {"cifar100": "c100", "flowers": "flower", "chaoyang": "chaoyang"}


def load_vitbench(space: str, task: str, path: Path | None, *, trained: str) -> GroundTruth:
    """Load one column, `trained` "kd" or "base", and as proxies `layer_sizes`."""
    place = catalogue.locate(FILES[space]) if path is None else path
    name = one_line(place)
    records = load_torch_pickle(place)
    if not isinstance(records, list) or not all(
        isinstance(record, dict) and isinstance(record.get("arch"), dict) for record in records
    ):
        raise BadFile(f"{name}: expected a list of records, each with an arch")
    key_of, column = canonical(space), f"{COLUMNS[task]}_{trained}_acc"
    keys = [
        key_of_record(key_of, str(record["arch"]), f"{name}, record {index}")
        for index, record in enumerate(records)
    ]
    accuracies, notes = read_accuracies(
        ((key, record.get(column)) for key, record in zip(keys, records)), name
    )
    source = "vitbench" if trained == "kd" else f"vitbench-{trained}"
    return GroundTruth(space, task, source, accuracies, layer_sizes(space, accuracies), notes)


SOURCE = (
    Source("vitbench", partial(load_vitbench, trained="kd"), tuple(FILES), tuple(COLUMNS)),
    Source("vitbench-base", partial(load_vitbench, trained="base"), tuple(FILES), tuple(COLUMNS)),
)
