"""What this machine keeps between runs: scores, and downloads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from naslib_swap.errors import BadFile
from naslib_swap.ground_truth.catalogue import CATALOGUE, VERIFIED, cache_folder
from naslib_swap.scoring.recipe import VERSION
from naslib_swap.scoring.store import DatabaseStore

_EARLIER = ("naslib_scores.sqlite",)  # of earlier versions: never read, never written


@dataclass(frozen=True)
class Kept:
    """Something that is kept on disk.

    Attributes
    ----------
    what
        What it is, for people.
    path
        The file.
    size
        In bytes.
    scores
        How many scores it holds; None for downloads, and for files of earlier versions.
    """

    what: str
    path: Path
    size: int
    scores: Optional[int] = None


def machine_store(note: Callable[[str], None] = lambda text: None) -> DatabaseStore:
    """Return the store of this machine: the one that every NASLib run shares."""
    return DatabaseStore(cache_folder() / "scores.sqlite", note)


def contents(note: Callable[[str], None] = lambda text: None) -> list[Kept]:
    """List what the cache folder holds of ours.

    Parameters
    ----------
    note
        Called with one sentence about what cannot be used.
    """
    store = machine_store(note)
    found = []
    if store.path.is_file():
        found.append(_kept("scores", store.path, store.count()))
    return [*found, *_earlier(), *_downloads(), *_digests()]


def prune(
    *, everything: bool = False, note: Callable[[str], None] = lambda text: None
) -> list[Kept]:
    """Remove what is no longer used; only our own files are touched.

    Parameters
    ----------
    everything
        Remove all scores and all downloads. Otherwise only files of earlier versions go, and the
        scores that today's version does not use.
    note
        Called with one sentence about what cannot be used.

    Returns
    -------
    list of Kept
        What was removed. For a part of a store: the number of scores, and the bytes that became
        free.

    Raises
    ------
    BadFile
        A file cannot be removed.
    """
    removed = _earlier()
    if everything:
        removed = contents(note)
    for one in removed:
        try:
            one.path.unlink()
        except OSError as error:
            raise BadFile(
                f"cannot remove {one.path}: {error.strerror or error}. Close what uses it, or "
                "remove it by hand."
            ) from None
    store = machine_store(note)
    if not everything and store.path.is_file():
        before = store.path.stat().st_size
        count = store.keep(lambda record: record.recipe.version == VERSION)
        if count:
            freed = before - store.path.stat().st_size
            removed.append(Kept("scores of other versions", store.path, freed, count))
    return removed


def _earlier() -> list[Kept]:
    paths = [cache_folder() / name for name in _EARLIER]
    return [_kept("scores of an earlier version", path) for path in paths if path.is_file()]


def _downloads() -> list[Kept]:
    paths = {name: cache_folder() / entry.path for name, entry in CATALOGUE.items()}
    return [_kept(f"download {name}", path) for name, path in paths.items() if path.is_file()]


def _digests() -> list[Kept]:
    path = cache_folder() / VERIFIED
    return [_kept("digests of downloads", path)] if path.is_file() else []


def _kept(what: str, path: Path, scores: Optional[int] = None) -> Kept:
    return Kept(what, path, path.stat().st_size, scores)
