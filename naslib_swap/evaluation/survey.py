"""What a file of scores already holds of some studies."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from sys import intern
from typing import TYPE_CHECKING, Any

from naslib_swap.errors import SwapError
from naslib_swap.evaluation.job import digests_of
from naslib_swap.evaluation.store import read_records
from naslib_swap.evaluation.study import Job, Study, settings_id, settings_of

if TYPE_CHECKING:
    import pandas as pd

Key = tuple[str, str, str, str, int, str]

_COLUMNS = (
    "space", "task", "proxy", "arch", "seed", "value", "saturation", "seconds", "error",
)  # fmt: skip


def key_of(record: Mapping[str, Any]) -> Key:
    """The fields that identify a stored score; SwapError where one is missing."""
    try:
        return (
            intern(record["space"]),
            intern(record["task"]),
            intern(record["arch"]),
            intern(record["proxy"]),
            record["seed"],
            intern(record["settings_id"]),
        )
    except (KeyError, TypeError):
        raise SwapError(
            f"expected a stored score with space, task, arch, proxy, seed and settings_id, got "
            f"{str(dict(record))[:80]}. Give a folder that `naslib-swap table` wrote."
        ) from None


@dataclass(frozen=True)
class Survey:
    """``done``: the scores that need not be computed again. ``failed``: those among them without a
    value. ``others``: how many scores of these architectures were made with other settings, by
    what differs.
    """

    done: frozenset[Key]
    failed: int
    others: Mapping[str, int] = field(default_factory=dict)


def survey(
    studies: Sequence[Study], records: Iterable[Mapping[str, Any]], *, retry_failed: bool = False
) -> Survey:
    """Look through stored records for what the studies need; failures are not done if retried."""
    wanted = _Wanted(studies)
    value_of: dict[Key, bool] = {}
    others: dict[str, int] = {}
    for record in records:
        key = key_of(record)
        want = wanted.of(key)
        if want is None:
            continue
        if key[-1] == want.id:
            value_of[key] = record["value"] is not None
        else:
            differs = difference(record.get("settings", {}), want.settings)
            others[differs] = others.get(differs, 0) + 1
    failed = sum(not scored for scored in value_of.values())
    done = frozenset(key for key, scored in value_of.items() if scored or not retry_failed)
    return Survey(done, failed, others)


def missing_jobs(study: Study, done: frozenset[Key]) -> Iterator[Job]:
    """Yield what a study still lacks: one job an architecture and seed."""
    alone = replace(study, archs=())  # a job travels to its worker without the others' names
    for seed in study.seeds:
        digests = digests_of(study, seed)
        ids = {p: settings_id(settings_of(study, p, digests)) for p in study.proxies}
        for arch in study.archs:
            lacking = tuple(
                p
                for p in study.proxies
                if (study.space, study.task, arch, p, seed, ids[p]) not in done
            )
            if lacking:
                yield Job(alone, arch, seed, lacking, digests)


def gather(studies: Sequence[Study], path: str | os.PathLike[str]) -> list[pd.DataFrame]:
    """Read the stored scores that belong to each study, in one pass over the file.

    One row an architecture, proxy and seed, with columns ``space, task, proxy, arch, seed, value,
    saturation, seconds, error``; of scores stored twice the last one counts.
    """
    wanted = _Wanted(studies)
    found: dict[tuple[str, str], dict[Key, list[Any]]] = {
        (study.space, study.task): {} for study in studies
    }
    for record in read_records(path):
        key = key_of(record)
        want = wanted.of(key)
        if want is not None and key[-1] == want.id:
            found[key[0], key[1]][key] = [record[column] for column in _COLUMNS]
    return [_frame(found[study.space, study.task].values()) for study in studies]


def nothing_scored(frames: Iterable[pd.DataFrame]) -> str | None:
    """What to tell the user where every score of a run failed; None where one did not."""
    failed = 0
    reason = None
    for frame in frames:
        if frame["value"].notna().any():
            return None
        failed += len(frame)
        reason = reason or next(iter(frame["error"]), None)
    if not failed:
        return None
    return f"all {failed} scores failed, the first with: {reason}"


def _frame(rows: Iterable[list[Any]]) -> pd.DataFrame:
    import pandas as pd  # here, so that scoring starts without it

    frame = pd.DataFrame(list(rows), columns=list(_COLUMNS))
    # The order of writing depends on the workers; the table must not.
    frame = frame.sort_values(["proxy", "seed", "arch"], ignore_index=True)
    return frame.astype({"value": float, "saturation": float, "seconds": float})


@dataclass(frozen=True)
class _Want:
    """The settings that a score should have been made with, and their name."""

    settings: Mapping[str, Any]
    id: str


class _Wanted:
    """Which stored scores some studies ask for; at most one study a task."""

    def __init__(self, studies: Sequence[Study]) -> None:
        self._archs = {(s.space, s.task): frozenset(s.archs) for s in studies}
        self._wants: dict[tuple[str, str, str, int], _Want] = {}
        for study in studies:
            for seed in study.seeds:
                digests = digests_of(study, seed)
                for proxy in study.proxies:
                    settings = settings_of(study, proxy, digests)
                    want = _Want(settings, settings_id(settings))
                    self._wants[study.space, study.task, proxy, seed] = want

    def of(self, key: Key) -> _Want | None:
        """What the score of this key should be made with; None where nobody asks for it."""
        space, task, arch, proxy, seed, _ = key
        if arch not in self._archs.get((space, task), ()):
            return None
        return self._wants.get((space, task, proxy, seed))


def difference(stored: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between settings, for people; nothing where they are alike."""
    names = [n for n in {**now, **stored} if stored.get(n) != now.get(n)]
    shown = [n for n in names if n not in ("digest", "labels")] or names
    return ", ".join(f"{n} {stored.get(n)} (now {now.get(n)})" for n in shown)
