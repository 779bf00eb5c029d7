"""NAS-Bench-201's own file, through its package `nas-bench-201` (an optional dependency).

The file, NAS-Bench-201-v1_1-096897.pth, was not at hand when this was written: the code is tested
against the package (version 2.1) with a small file that the package's own classes made.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from naslib_swap.errors import SwapError
from naslib_swap.ground_truth.table import GroundTruth, Source, add_accuracy, canonical

_DATA_SETS = {"cifar10": "cifar10-valid"}
"""Where the accuracy on held-out training images has another name than the task."""


def load_nas201_api(space: str, task: str, path: Path | None) -> GroundTruth:
    """Load validation accuracies after 200 epochs, the mean over the training seeds."""
    if path is None:
        raise SwapError(
            "the source 'nas-bench-201-api' needs a path: that of NAS-Bench-201-v1_1-096897.pth "
            "(see github.com/D-X-Y/NAS-Bench-201)"
        )
    api = _opened(path)
    key_of = canonical(space)
    accuracy: dict[str, float] = {}
    for index, text in enumerate(api):
        if index not in api.arch2infos_dict:
            continue
        info = api.get_more_info(index, _DATA_SETS.get(task, task), hp="200", is_random=False)
        if "valid-accuracy" not in info:
            raise SwapError(f"{path}: {text} has no validation accuracy on {task}")
        add_accuracy(accuracy, key_of(text), float(info["valid-accuracy"]), str(path))
    return GroundTruth(space, task, "nas-bench-201-api", accuracy)


def _opened(path: Path) -> Any:
    try:
        from nas_201_api import NASBench201API
    except ImportError as error:
        raise SwapError(
            "reading NAS-Bench-201's own file needs the package nas-bench-201: "
            "pip install nas-bench-201"
        ) from error
    import torch

    try:
        # The package would load whatever the pickle names.
        tables = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise SwapError(f"{path} cannot be read as NAS-Bench-201's file: {error}") from error
    try:
        return NASBench201API(tables, verbose=False)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise SwapError(f"{path} is not laid out as NAS-Bench-201's file: {error!r}") from error


SOURCE = Source(
    "nas-bench-201-api",
    load_nas201_api,
    ("nasbench201",),
    ("cifar10", "cifar100", "ImageNet16-120"),
)
