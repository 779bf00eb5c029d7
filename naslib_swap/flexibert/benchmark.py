"""NAS-Bench-BERT: 500 encoders with the GLUE scores that they reach, and released metrics.

Serianni and Kalita, "Training-free Neural Architecture Search for RNNs and Transformers", ACL 2023
(arXiv 2306.00288). Data under CC BY 4.0.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import pandas as pd
import pooch

from naslib_swap.errors import SwapError
from naslib_swap.flexibert.encoder import Encoder, from_dict

TASKS = ("cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst", "sts")
AVERAGE = "glue"

_RELEASE = (
    "https://raw.githubusercontent.com/aaronserianni/training-free-nas/"
    "2d76e01b9586cad7340e8268dadba3056efd070b/data/"
)


@dataclass(frozen=True)
class RemoteFile:
    """A released file: its name, where a local copy is looked for, its SHA-256."""

    name: str
    folder: str
    sha256: str


BENCHMARK_FILE = RemoteFile(
    "BERT_benchmark.json",
    "swap",
    "fa2ff7198dcd71e0b8021ed2ace1c221672c33cc56931b6dff31fda3d044784f",
)
RELEASED_FILE = RemoteFile(
    "BERT_results_activation.csv",
    "training_free_nas",
    "95fb60a0e702102d6b09a60d13745068270aa28183b7cc8dacb79d5ec6a4b36d",
)


@dataclass(frozen=True)
class BenchmarkEntry:
    """One encoder, and its scores on the eight GLUE tasks and their average, in percent."""

    id: int
    encoder: Encoder
    scores: Mapping[str, float]


def locate(file: RemoteFile, path: Optional[str] = None) -> Path:
    """Find a released file: ``path``, else under ``NASLIB_SWAP_DATA``, else by pooch.

    Raises
    ------
    SwapError
        Where ``path`` does not exist or the download fails.
    """
    if path is not None:
        if not Path(path).is_file():
            raise SwapError(f"there is no file {path}; expected a copy of {file.name}")
        return Path(path)
    copy = Path(os.environ.get("NASLIB_SWAP_DATA", "")) / file.folder / file.name
    if copy.is_file():
        return copy
    try:
        found = pooch.retrieve(
            _RELEASE + file.name,
            known_hash=f"sha256:{file.sha256}",
            fname=file.name,
            path=pooch.os_cache("naslib_swap"),
        )
    except OSError as error:
        raise SwapError(
            f"{file.name} could not be downloaded from {_RELEASE}: {error}. Download it yourself "
            "and give its path, or set NASLIB_SWAP_DATA"
        ) from error
    return Path(found)


def load_benchmark(path: Optional[str] = None) -> list[BenchmarkEntry]:
    """Read the benchmark, ordered by id.

    Raises
    ------
    SwapError
        Where the file is not what it should be: the message says which entry, and why.
    """
    found = locate(BENCHMARK_FILE, path)
    try:
        given = json.loads(found.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SwapError(f"{found} is not JSON: {error}") from error
    if not isinstance(given, list):
        raise SwapError(f"{found} holds a {type(given).__name__}; expected a list of encoders")
    entries = [_entry(found, i, item) for i, item in enumerate(given)]
    return sorted(entries, key=lambda entry: entry.id)


def _entry(path: Path, position: int, item: object) -> BenchmarkEntry:
    if not isinstance(item, Mapping):
        raise SwapError(f"{path}: entry {position} is {item!r}; expected a mapping")
    missing = [key for key in ("id", "scores", "hparams") if key not in item]
    if missing:
        raise SwapError(f"{path}: entry {position} lacks {', '.join(missing)}")
    scores = item["scores"]
    if not isinstance(scores, Mapping):
        raise SwapError(f"{path}: entry {position} has the scores {scores!r}; expected a mapping")
    lacking = [task for task in (*TASKS, AVERAGE) if task not in scores]
    if lacking:
        raise SwapError(f"{path}: entry {position} lacks the scores of {', '.join(lacking)}")
    return BenchmarkEntry(int(str(item["id"])), from_dict(item), dict(scores))


def by_id(entries: list[BenchmarkEntry], number: int) -> BenchmarkEntry:
    """Return the encoder with a benchmark id; SwapError where there is none."""
    for entry in entries:
        if entry.id == number:
            return entry
    raise SwapError(
        f"the benchmark has no encoder {number}; expected an id from {entries[0].id} to "
        f"{entries[-1].id}"
    )


def load_released(path: Optional[str] = None) -> pd.DataFrame:
    """Read the released values of the other metrics, one row an encoder, indexed by its id."""
    return pd.read_csv(locate(RELEASED_FILE, path)).set_index("ID").sort_index()
