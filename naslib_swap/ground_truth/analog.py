"""CIFAR-10 accuracies of all 15,625 NAS-Bench-201 architectures, from the package analog-nasbench.

The package holds one pickle, a dict from NASLib's compact tuple to a record of accuracies. The
networks were trained anew for AnalogNAS-Bench (Bessalah et al., 2025): the accuracies are
independent of NAS-Bench-201's own, with which they rank-correlate at 0.98. The package is never
imported.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from naslib_swap import spaces
from naslib_swap.errors import BadFile, SwapError
from naslib_swap.ground_truth.table import GroundTruth, Source, add_accuracy
from naslib_swap.nesting import Record
from naslib_swap.quoting import one_line
from naslib_swap.reading import read_bytes
from naslib_swap.restricted_pickle import load_pickle

PACKAGE = "analog-nasbench"
_FILE = "analognasbench/data.anb"
_MODULE = "analognasbench.data"
_SHA256 = "85f3435b877aa2d36268d55ce07f6ff6d73643d17a840f1941745da5eb80db32"  # of release 0.1.3


class _Architecture(Record):
    __slots__ = ()


def load_analog(space: str, task: str, path: Path | None) -> GroundTruth:
    """Load the floating-point baseline accuracies; `path` names the file outside the package."""
    found = _remembered(_installed(), space) if path is None else _read(path, space)
    return GroundTruth(space, task, "analog", dict(found))


def _read(place: Path, space: str) -> dict[str, float]:
    data = load_pickle(
        read_bytes(place),
        {(_MODULE, "Architecture"): _Architecture, (_MODULE, "DriftMeasurement"): Record},
        what=f"{PACKAGE} data {one_line(place)}",
        known=_SHA256,
    )
    if not isinstance(data, dict) or not data:
        raise BadFile(f"{place}: expected a dict of architectures, found {type(data).__name__}")
    key_of = spaces.get(space).encode
    accuracy: dict[str, float] = {}
    for arch, values in data.items():
        key = key_of(arch)
        add_accuracy(accuracy, key, _baseline(values, key, place), str(place))
    return accuracy


# Each search and table of a process asks, and a package does not change.
_remembered = lru_cache(maxsize=1)(_read)


def _baseline(values: Any, key: str, place: Path) -> float:
    found = isinstance(values, _Architecture)
    value = values.fields.get("baseline_accuracy") if found else None
    if not isinstance(value, float):
        raise BadFile(f"{place}: architecture {key} has no baseline_accuracy")
    return value


def _installed() -> Path:
    try:
        distribution = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise SwapError(
            f"the accuracies of NAS-Bench-201 come with the package {PACKAGE}, which is not "
            f"installed: pip install {PACKAGE}"
        ) from error
    return Path(str(distribution.locate_file(_FILE)))


SOURCE = Source("analog", load_analog, ("nasbench201",), ("cifar10",))
