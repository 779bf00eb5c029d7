"""ImageNet accuracies of 1,001 networks of each size of AutoFormer (OoD-ViT-NAS, Ho et al. 2024).

Weights are inherited from AutoFormer's supernets, so accuracies lie close together: 74.5 to 75.5
(T), 79.4 to 81.7 (S) and 81.8 to 82.3 (B). The authors state no licence: the files are read, never
passed on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from naslib_swap.errors import BadFile
from naslib_swap.ground_truth import catalogue
from naslib_swap.ground_truth.layer_sizes import layer_sizes
from naslib_swap.ground_truth.table import (
    GroundTruth,
    Source,
    canonical,
    key_of_record,
    number,
    read_accuracies,
)
from naslib_swap.json_files import read_json
from naslib_swap.quoting import one_line

FILES = {f"autoformer_{size}": f"ood-vit-nas-{size}" for size in ("tiny", "small", "base")}
_STORED = ("params", "flops")


def load_ood_vit_nas(space: str, task: str, path: Path | None) -> GroundTruth:
    """Load the accuracies on clean images, and as proxies the stored sizes.

    These are the parameters and FLOPs, in millions, and `layer_sizes`.
    """
    place = catalogue.locate(FILES[space]) if path is None else path
    name = one_line(place)
    records = read_json(place, "JSON table")
    if not isinstance(records, dict) or not all(isinstance(r, dict) for r in records.values()):
        raise BadFile(f"{name}: expected an object of records, each with a net_setting")
    key_of = canonical(space)
    keyed = [
        (key_of_record(key_of, json.dumps(record), f"{name}, record {one_line(label)}"), record)
        for label, record in records.items()
    ]
    accuracies, notes = read_accuracies(((key, _clean(record)) for key, record in keyed), name)
    proxies = {
        proxy: {
            key: value
            for key, record in keyed
            if key in accuracies and (value := number(record.get(proxy))) is not None
        }
        for proxy in _STORED
    }
    proxies.update(layer_sizes(space, accuracies))
    return GroundTruth(space, task, "ood-vit-nas", accuracies, proxies, notes)


def _clean(record: Any) -> Any:
    for field in ("performance", "Imagenet", "clean"):
        record = record.get(field) if isinstance(record, dict) else None
    return record


SOURCE = Source("ood-vit-nas", load_ood_vit_nas, tuple(FILES), ("imagenet",))
