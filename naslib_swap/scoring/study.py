"""What is to be scored, as plain data, and what a store holds of it."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from naslib_swap import proxies as registry
from naslib_swap import spaces
from naslib_swap.errors import BadArgument
from naslib_swap.scoring.conditions import Conditions
from naslib_swap.scoring.recipe import Recipe
from naslib_swap.scoring.record import Record, Score
from naslib_swap.scoring.single import Job
from naslib_swap.scoring.store import Store
from naslib_swap.scoring.subject import Subject

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "space", "task", "proxy", "arch", "seed", "value", "saturation", "seconds", "error", "trace",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """Subjects of one task, to be scored by some proxies under some seeds.

    Attributes
    ----------
    space, task
        Names of both.
    subjects
        The subjects, by the name that a table gives them.
    proxies
        Names of the proxies.
    seeds
        Each gives other weights and, where inputs are drawn, other inputs.
    conditions
        What all scores share.
    """

    space: str
    task: str
    subjects: Mapping[str, Subject]
    proxies: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    conditions: Conditions = field(default_factory=Conditions)

    def distinct(self) -> Mapping[str, Subject]:
        """Return each network once, by its canonical name."""
        return {subject.name: subject for subject in self.subjects.values()}


def recipes_of(study: Study) -> dict[tuple[str, int], Recipe]:
    """Return the recipe of each proxy under each seed: the same for all of a study's subjects.

    Raises
    ------
    SwapError
        An unknown proxy, inputs that cannot be loaded.
    """
    subject = next(iter(study.subjects.values()), None)
    if subject is None:
        return {}
    return {
        (name, seed): Recipe.of(subject, name, study.conditions, seed)
        for name in study.proxies
        for seed in study.seeds
    }


class Block:
    """The scores of a study's networks by one proxy under one seed, as plain numbers.

    A store may hold millions: as objects they would take ten times the memory.

    Parameters
    ----------
    places
        Where each network is, by its canonical name.
    recipe
        What the scores should be made with.
    """

    def __init__(self, places: Mapping[str, int], recipe: Recipe) -> None:
        self.places = places
        self.recipe = recipe
        self.known = bytearray(len(places))
        self._numbers = array("d", bytes(8 * 3 * len(places)))
        self._texts: dict[int, tuple[str | None, str | None]] = {}  # few: error and trace

    def put(self, place: int, score: Score) -> None:
        """Take a score, in the place of an earlier one."""
        self.known[place] = True
        for number in (score.value, score.saturation, score.seconds):
            self._numbers[place] = math.nan if number is None else number
            place += len(self.known)
        place -= 3 * len(self.known)
        if score.error is not None:
            self._texts[place] = (score.error, score.trace)
        elif self._texts:
            self._texts.pop(place, None)

    def done(self, place: int, *, retry_failed: bool = False) -> bool:
        """Tell whether there is a score; one that failed is none if it is to be tried again."""
        return bool(self.known[place]) and not (retry_failed and place in self._texts)

    @property
    def failed(self) -> int:
        """How many of the scores failed."""
        return len(self._texts)

    def numbers(self) -> np.ndarray:
        """Return value, saturation and seconds of all places, [3, places]; NaN for none."""
        return np.frombuffer(self._numbers).reshape(3, -1)

    def texts(self, which: int) -> np.ndarray:
        """Return the error (0) or trace (1) of all places; None for none."""
        texts = np.full(len(self.known), None, object)
        for place, pair in self._texts.items():
            texts[place] = pair[which]
        return texts


class Survey(NamedTuple):
    """What a store holds of some studies.

    Attributes
    ----------
    blocks
        The scores asked for, by space, task, proxy and seed.
    others
        How many scores of these subjects were made with other recipes, by what differs.
    """

    blocks: Mapping[tuple[str, str, str, int], Block]
    others: Mapping[str, int]

    @property
    def failed(self) -> int:
        """How many of the scores failed."""
        return sum(block.failed for block in self.blocks.values())


def survey(studies: Sequence[Study], records: Iterable[Record] = ()) -> Survey:
    """Look through records for what studies ask for; of equal keys the last one counts.

    There is at most one study per task.
    """
    blocks: dict[tuple[str, str, str, int], Block] = {}
    for study in studies:
        places = {name: place for place, name in enumerate(study.distinct())}
        for (proxy, seed), recipe in recipes_of(study).items():
            blocks[study.space, study.task, proxy, seed] = Block(places, recipe)
    others: dict[tuple[Recipe, Recipe], int] = {}
    for key, score, recipe in records:
        block = blocks.get((key.space, key.task, key.proxy, key.seed))
        place = None if block is None else block.places.get(key.arch)
        if block is None or place is None:
            continue
        if key.recipe == block.recipe.id:
            block.put(place, score)
        else:
            others[recipe, block.recipe] = others.get((recipe, block.recipe), 0) + 1
    said: dict[str, int] = {}
    for (stored, now), count in others.items():
        differs = stored.difference(now)
        said[differs] = said.get(differs, 0) + count
    return Survey(blocks, said)


def missing(study: Study, known: Survey | None = None, *, retry_failed: bool = False) -> list[Job]:
    """Return what a study still lacks: one job per network and seed; all where nothing is known.

    A score that failed is not done if it is to be tried again.
    """
    if not study.subjects:
        return []
    blocks = (known or survey([study])).blocks
    jobs = []
    registered = (registry.PROXIES.registered(), spaces.SPACES.registered())
    for seed in study.seeds:
        digests = None
        of_seed = [(p, blocks[study.space, study.task, p, seed]) for p in study.proxies]
        for place, subject in enumerate(study.distinct().values()):
            lacking = [p for p, one in of_seed if not one.done(place, retry_failed=retry_failed)]
            if lacking:
                if digests is None:
                    digests = str(study.conditions.inputs.digests(subject.takes, seed))
                jobs.append(
                    Job(subject, seed, tuple(lacking), study.conditions, digests, registered)
                )
    return jobs


def gather(studies: Sequence[Study], store: Store) -> list[pd.DataFrame]:
    """Read the stored scores of each study, in one pass over the store.

    Parameters
    ----------
    studies
        What is wanted.
    store
        Where the scores are.

    Returns
    -------
    list of DataFrame
        One row per subject, proxy and seed that has a score, with `COLUMNS`; ``arch`` is what the
        study calls the subject. See `run` for an example.
    """
    known = survey(studies, store.records())
    return [_frame(study, known) for study in studies]


def _frame(study: Study, known: Survey) -> pd.DataFrame:
    import pandas as pd  # here, so that scoring starts without it

    # The order of writing depends on the workers; that of a table must not.
    archs = np.array(sorted(study.subjects), object)
    keys = sorted(recipes_of(study))
    blocks = [known.blocks[study.space, study.task, proxy, seed] for proxy, seed in keys]
    order = np.empty(0, int)
    if blocks:
        order = np.array([blocks[0].places[study.subjects[arch].name] for arch in archs], int)
    scored = [np.flatnonzero(np.frombuffer(block.known, bool)[order]) for block in blocks]
    counts = [len(there) for there in scored]

    def column(cells: Callable[[Block], np.ndarray], kind: type = float) -> np.ndarray:
        parts = [cells(block)[order[there]] for block, there in zip(blocks, scored)]
        return np.concatenate([np.empty(0, kind), *parts])

    proxies, seeds = np.array([p for p, _ in keys], object), np.array([s for _, s in keys], int)
    columns = {
        "space": np.full(sum(counts), study.space, object),
        "task": np.full(sum(counts), study.task, object),
        "proxy": np.repeat(proxies, counts),
        "arch": archs[np.concatenate([np.empty(0, int), *scored])],
        "seed": np.repeat(seeds, counts),
        "value": column(lambda block: block.numbers()[0]),
        "saturation": column(lambda block: block.numbers()[1]),
        "seconds": column(lambda block: block.numbers()[2]),
        "error": column(lambda block: block.texts(0), object),
        "trace": column(lambda block: block.texts(1), object),
    }
    return pd.DataFrame(columns, columns=list(COLUMNS), copy=False)


def nothing_scored(frames: Iterable[pd.DataFrame]) -> str | None:
    """Return what to tell the user where every score of a run failed; else None."""
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


def sample_architectures(
    known: Sequence[str], count: int | None, seed: int, *, least: int = 3
) -> tuple[str, ...]:
    """Draw ``count`` of the known architectures without replacement, in a fixed order.

    Three are the fewest that can be ranked.

    Raises
    ------
    BadArgument
        If fewer are known than are asked for, or fewer than ``least`` are asked for.
    """
    ordered = sorted(known)
    if count is None:
        return tuple(ordered)
    if not least <= count <= len(ordered):
        raise BadArgument(
            f"got {count} architectures to sample, expected between {least} and the "
            f"{len(ordered)} that are known, or all."
        )
    chosen = np.random.default_rng([seed, 2]).choice(len(ordered), size=count, replace=False)
    return tuple(ordered[i] for i in chosen)
