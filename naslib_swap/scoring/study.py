"""What is to be scored, as plain data, and what a store holds of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from naslib_swap import proxies as registry
from naslib_swap import spaces
from naslib_swap.errors import BadArgument
from naslib_swap.scoring.conditions import Conditions
from naslib_swap.scoring.recipe import Recipe
from naslib_swap.scoring.record import Key, Record, Score
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


class Wanted(NamedTuple):
    """The scores that some studies ask for, each with the recipe that it should have."""

    names: Mapping[tuple[str, str], frozenset[str]]
    recipes: Mapping[tuple[str, str, str, int], Recipe]

    @classmethod
    def of(cls, studies: Sequence[Study]) -> Wanted:
        """Return what studies want; there is at most one study per task."""
        names = {(s.space, s.task): frozenset(s.distinct()) for s in studies}
        recipes = {
            (study.space, study.task, proxy, seed): recipe
            for study in studies
            for (proxy, seed), recipe in recipes_of(study).items()
        }
        return cls(names, recipes)

    def recipe(self, key: Key) -> Recipe | None:
        """Return the recipe that the score of a key should have; None where nobody asks for it."""
        if key.arch not in self.names.get((key.space, key.task), ()):
            return None
        return self.recipes.get((key.space, key.task, key.proxy, key.seed))


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


class Survey(NamedTuple):
    """What a store holds of some studies.

    Attributes
    ----------
    scores
        Those asked for.
    others
        How many scores of these subjects were made with other recipes, by what differs.
    """

    scores: Mapping[Key, Score]
    others: Mapping[str, int]


def survey(studies: Sequence[Study], records: Iterable[Record]) -> Survey:
    """Look through records for what studies ask for; of equal keys the last one counts."""
    wanted = Wanted.of(studies)
    scores: dict[Key, Score] = {}
    others: dict[tuple[Recipe, Recipe], int] = {}
    for key, score, recipe in records:
        want = wanted.recipe(key)
        if want is None:
            continue
        if key.recipe == want.id:
            scores[key] = score
        else:
            others[recipe, want] = others.get((recipe, want), 0) + 1
    said: dict[str, int] = {}
    for (stored, now), count in others.items():
        differs = stored.difference(now)
        said[differs] = said.get(differs, 0) + count
    return Survey(scores, said)


def missing(study: Study, done: Mapping[Key, Score], *, retry_failed: bool = False) -> list[Job]:
    """Return what a study still lacks: one job per network and seed.

    A score that failed is not done if it is to be tried again.
    """
    jobs = []
    recipes = recipes_of(study)
    registered = (registry.PROXIES.registered(), spaces.SPACES.registered())
    networks = study.distinct()
    for seed in study.seeds:
        digests = None
        for name, subject in networks.items():
            lacking = []
            for proxy in study.proxies:
                key = Key(study.space, study.task, name, proxy, seed, recipes[proxy, seed].id)
                score = done.get(key)
                if score is None or (retry_failed and score.value is None):
                    lacking.append(proxy)
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
    found = survey(studies, store.records()).scores
    return [_frame(_rows(study, found)) for study in studies]


def _rows(study: Study, found: Mapping[Key, Score]) -> Iterator[tuple[object, ...]]:
    # The order of writing depends on the workers; that of a table must not.
    for (proxy, seed), recipe in sorted(recipes_of(study).items(), key=lambda item: item[0]):
        for arch, subject in sorted(study.subjects.items()):
            key = Key(study.space, study.task, subject.name, proxy, seed, recipe.id)
            score = found.get(key)
            if score is not None:
                yield (
                    study.space, study.task, proxy, arch, seed, score.value, score.saturation,
                    score.seconds, score.error, score.trace,
                )  # fmt: skip


def _frame(rows: Iterable[tuple[object, ...]]) -> pd.DataFrame:
    import pandas as pd  # here, so that scoring starts without it

    frame = pd.DataFrame(list(rows), columns=list(COLUMNS))
    return frame.astype({"value": float, "saturation": float, "seconds": float})


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


def sample_architectures(known: Sequence[str], count: int | None, seed: int) -> tuple[str, ...]:
    """Draw ``count`` of the known architectures without replacement, in a fixed order.

    Raises
    ------
    BadArgument
        If fewer are known than are asked for.
    """
    ordered = sorted(known)
    if count is None:
        return tuple(ordered)
    if not 3 <= count <= len(ordered):
        raise BadArgument(
            f"got {count} architectures to sample, expected between 3 and the {len(ordered)} that "
            "are known, or all."
        )
    chosen = np.random.default_rng([seed, 2]).choice(len(ordered), size=count, replace=False)
    return tuple(ordered[i] for i in chosen)
