"""NAS-Bench-BERT: 500 encoders with the GLUE scores that they reach, and released metrics.

Serianni and Kalita, "Training-free Neural Architecture Search for RNNs and Transformers", ACL 2023
(arXiv 2306.00288). Data under CC BY 4.0.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
import pandas as pd

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.flexibert.encoder import Encoder, from_dict, from_json, parse, sample
from naslib_swap.ground_truth import catalogue
from naslib_swap.ground_truth.table import number
from naslib_swap.json_files import read_json
from naslib_swap.quoting import one_line, shown
from naslib_swap.reading import damage, read_text

TASKS = ("cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst", "sts")
AVERAGE = "glue"


@dataclass(frozen=True)
class BenchmarkEntry:
    """One encoder, and its scores on the eight GLUE tasks and their average, in percent."""

    id: int
    encoder: Encoder
    scores: Mapping[str, float]


def _locate(name: str, path: Optional[str]) -> Path:
    if path is None:
        return catalogue.locate(name)
    if not Path(path).is_file():
        raise BadFile(f"there is no file {path}; expected a copy of {catalogue.entry(name).path}")
    return Path(path)


def load_benchmark(path: Optional[str] = None) -> list[BenchmarkEntry]:
    """Read the benchmark, ordered by id: from ``path``, or the original of the catalogue.

    Raises
    ------
    SwapError
        Where there is no such file, it cannot be downloaded, or is not what it should be: the
        message says which entry, and why.
    """
    found = _locate("bert-benchmark", path)
    given = read_json(found)
    if not isinstance(given, list):
        raise BadFile(f"{found} holds a {type(given).__name__}; expected a list of encoders")
    entries = [_entry(found, i, item) for i, item in enumerate(given)]
    return sorted(entries, key=lambda entry: entry.id)


def _entry(path: Path, position: int, item: object) -> BenchmarkEntry:
    if not isinstance(item, Mapping):
        raise BadFile(f"{path}: entry {position} is {shown(item)}; expected a mapping")
    missing = [key for key in ("id", "scores", "hparams") if key not in item]
    if missing:
        raise BadFile(f"{path}: entry {position} lacks {', '.join(missing)}")
    scores = item["scores"]
    if not isinstance(scores, Mapping):
        raise BadFile(
            f"{path}: entry {position} has the scores {shown(scores)}; expected a mapping"
        )
    lacking = [task for task in (*TASKS, AVERAGE) if task not in scores]
    if lacking:
        raise BadFile(f"{path}: entry {position} lacks the scores of {', '.join(lacking)}")
    values = {task: number(scores[task]) for task in (*TASKS, AVERAGE)}
    wrong = [task for task, value in values.items() if value is None]
    if wrong:
        raise BadFile(
            f"{path}: entry {position} has the score {shown(scores[wrong[0]], 40)} of {wrong[0]}; "
            "expected a finite number"
        )
    with damage(f"{path}: entry {position} has the id {shown(item['id'], 40)}"):
        identity = int(str(item["id"]))
    known = {task: value for task, value in values.items() if value is not None}
    return BenchmarkEntry(identity, from_dict(item), {**scores, **known})


def by_id(entries: list[BenchmarkEntry], number: int) -> BenchmarkEntry:
    """Return the encoder with a benchmark id; BadArgument where there is none."""
    for entry in entries:
        if entry.id == number:
            return entry
    raise BadArgument(
        f"the benchmark has no encoder {number}; expected an id from {entries[0].id} to "
        f"{entries[-1].id}"
    )


def find_encoder(given: str, benchmark: Optional[str] = None) -> Encoder:
    """Find an encoder by what people call it.

    Parameters
    ----------
    given
        A benchmark id, a JSON file, the encoder's notation, ``random`` or ``random:SEED``.
    benchmark
        A copy of the benchmark; None takes the original.

    Raises
    ------
    SwapError
        If it is none of these, or does not describe an encoder.
    """
    if given.isdecimal():
        return by_id(load_benchmark(benchmark), int(given)).encoder
    if given.split(":")[0] == "random":
        seed = given.partition(":")[2] or "0"
        if not seed.isdecimal():
            raise BadArgument(f"got {given!r}, expected random or random:SEED, a whole number.")
        return sample(np.random.default_rng(int(seed)))
    if given.endswith(".json"):
        try:
            text = Path(given).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise BadFile(f"cannot read the encoder {given}: {error}.") from error
        return from_json(text)
    return parse(given)


def load_released(path: Optional[str] = None) -> pd.DataFrame:
    """Read the released values of the other metrics: one row for each encoder, indexed by its id.

    Raises
    ------
    BadFile
        There is no such file, it cannot be downloaded, or it has no column ``ID``.
    """
    found = _locate("bert-activation", path)
    text = read_text(found)
    with damage(f"{one_line(found)} cannot be read as CSV"):
        return (
            pd.read_csv(io.StringIO(text), float_precision="round_trip")
            .set_index("ID")
            .sort_index()
        )
