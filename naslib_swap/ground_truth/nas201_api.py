"""NAS-Bench-201's own file, through its package `nas-bench-201` (an optional dependency).

The file, NAS-Bench-201-v1_1-096897.pth, was not at hand when this was written: the code is tested
against the package (version 2.1) with a small file that the package's own classes made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from naslib_swap.errors import BadArgument, BadFile, SwapError
from naslib_swap.ground_truth.table import GroundTruth, Source, add_accuracy, canonical
from naslib_swap.nesting import check_nesting
from naslib_swap.quoting import one_line, shown
from naslib_swap.reading import damage

_DATA_SETS = {"cifar10": "cifar10-valid"}
"""Where the accuracy on held-out training images has another name than the task."""


def load_nas201_api(space: str, task: str, path: Path | None) -> GroundTruth:
    """Load validation accuracies after 200 epochs, the mean over the training seeds."""
    if path is None:
        raise BadArgument(
            "the source 'nas-bench-201-api' needs a path: that of NAS-Bench-201-v1_1-096897.pth "
            "(see github.com/D-X-Y/NAS-Bench-201)"
        )
    api = _opened(path)
    key_of = canonical(space)
    accuracy: dict[str, float] = {}
    name = one_line(path)
    for index, text in enumerate(api):
        if index not in api.arch2infos_dict:
            continue
        with damage(f"{name} is not laid out as NAS-Bench-201's file"):
            info = api.get_more_info(index, _DATA_SETS.get(task, task), hp="200", is_random=False)
        if "valid-accuracy" not in info:
            raise BadFile(f"{name}: {shown(text)} has no validation accuracy on {task}")
        add_accuracy(accuracy, key_of(text), float(info["valid-accuracy"]), name)
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

    name = one_line(path)
    with damage(f"{name} cannot be read as NAS-Bench-201's file"):
        # The package would load whatever the pickle names.
        tables = torch.load(path, map_location="cpu", weights_only=True)
    check_nesting(tables, name)
    with damage(f"{name} is not laid out as NAS-Bench-201's file"):
        return NASBench201API(tables, verbose=False)


SOURCE = Source(
    "nas-bench-201-api",
    load_nas201_api,
    ("nasbench201",),
    ("cifar10", "cifar100", "ImageNet16-120"),
)
