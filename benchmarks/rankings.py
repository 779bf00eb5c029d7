"""The tables of docs/ranking.md: label-free rankings on every space and task.

    naslib-swap table --config ranking --out ranking
    naslib-swap table --space nasbench201 --truth nasbench201 --archs 300 --proxies P --out ranking
    python benchmarks/rankings.py ranking

P is guided_rank,az_nas,vkdnw_agg. Reads what the first two commands have stored; architectures
that lack a member of the first row are left out. NASLIB_SWAP_DATA names the folder with the tables.
Networks of NAS-Bench-201 are scored on CIFAR-10 and compared with the accuracies of all three data
sets. Intervals: 300 resamples of architectures, ranked anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from search_stored import table

from naslib_swap import combinations, ground_truth
from naslib_swap.combinations import signed
from naslib_swap.evaluation.cohorts import wide_of
from naslib_swap.evaluation.plan import Plan, plans_from_config
from naslib_swap.evaluation.planning import study_of
from naslib_swap.evaluation.statistics import spearman
from naslib_swap.scoring import gather
from naslib_swap.scoring.store import LineStore

MADE = ("guided_rank", "az_nas", "vkdnw_agg")
SINGLE = (
    "scaled_l_swag", "l_swag", "reg_swap", "swap", "mean_expressivity", "expressivity",
    "last_expressivity", "progressivity", "trainability", "jacov", "flops", "params", "depth",
)  # fmt: skip
NB201 = ("cifar10", "cifar100", "ImageNet16-120")
LISTED, PART = "the 9,445", "a sample of "
# VKDNW takes 25 times as long as SWAP, and half a minute on a network of NAS-Bench-101.
WITH_VKDNW = 300
FEWEST, RESAMPLES = 20, 300


@dataclass(frozen=True)
class Column:
    """Architectures of one task: members' values, higher is better, and accuracies."""

    name: str
    group: str
    values: Mapping[str, np.ndarray]
    accuracy: np.ndarray

    def scores(self, row: str, chosen: np.ndarray) -> np.ndarray | None:
        """Score the chosen architectures by a row, among themselves; None where that cannot be."""
        members = combinations.get(row).members if row in MADE else (row,)
        if not set(members) <= set(self.values):
            return None
        cohort = np.stack([self.values[member][chosen] for member in members])
        if row in MADE:
            return combinations.get(row).of(cohort)
        return rankdata(np.where(np.isnan(cohort[0]), -np.inf, cohort[0]))

    def rho(self, row: str, chosen: np.ndarray | None = None) -> float:
        """Spearman's correlation of a row with the accuracies; NaN where it has no scores."""
        chosen = np.arange(len(self.accuracy)) if chosen is None else chosen
        scores = self.scores(row, chosen)
        return np.nan if scores is None else spearman(scores, self.accuracy[chosen])


def columns(store: LineStore) -> Iterator[Column]:
    for plan in plans_from_config("ranking"):
        plan = replace(plan, proxies=(*plan.proxies, *MADE))
        if plan.space == "nasbench201":
            if plan.task == NB201[0]:
                yield from of_nasbench201(plan, store)
            continue
        # All that is stored, of whatever samples.
        found = stored(replace(plan, archs=None), store, MADE[:1])
        yield column(plan.space, plan.task, *found)


def of_nasbench201(plan: Plan, store: LineStore) -> Iterator[Column]:
    found = {
        task: ground_truth.load("nasbench201", space=plan.space, task=task).accuracy
        for task in NB201
    }
    archs, values, _ = stored(plan, store, MADE[:1])
    for task in NB201:
        yield column(plan.space, task, archs, values, found[task])
    listed = table("nasbench201__cifar10__valid9445").accuracy
    kept = [arch in listed for arch in archs]
    part = {name: of[kept] for name, of in values.items()}
    few = [arch for arch, keep in zip(archs, kept) if keep]
    for task in (NB201[0], NB201[2]):
        yield column(LISTED, task, few, part, found[task])
    archs, values, _ = stored(replace(plan, archs=WITH_VKDNW), store, MADE)
    for task in NB201:
        yield column(f"{PART}{plan.space}", task, archs, values, found[task])


def stored(
    plan: Plan, store: LineStore, rows: Sequence[str]
) -> tuple[list[str], dict[str, np.ndarray], Mapping[str, float]]:
    """Architectures with all members of these rows; values by proxy; accuracies."""
    study, truth = study_of(plan)
    (frame,) = gather([study], store)
    wide = {name: of[0] for name, of in wide_of(frame).items() if 0 in of}
    members = {member for row in rows for member in combinations.get(row).members}
    if not members <= set(wide):
        return [], {}, truth.accuracy
    archs = sorted(set.intersection(*(set(wide[name].index) for name in members)))
    values = {
        name: signed(one.reindex(archs).to_numpy(float), name)
        for name, one in wide.items()
        if set(archs) <= set(one.index)
    }
    return archs, values, truth.accuracy


def column(
    group: str,
    task: str,
    archs: Sequence[str],
    values: Mapping[str, np.ndarray],
    accuracy: Mapping[str, float],
) -> Column:
    return Column(task, group, values, np.array([accuracy[arch] for arch in archs]))


def interval(values: np.ndarray) -> str:
    low, high = np.percentile(values, [2.5, 97.5])
    return f"{low:.2f} to {high:.2f}"


def resampled(column: Column, row: str) -> np.ndarray:
    """A row's correlation in each resample; the same architectures for every row."""
    rng, count = np.random.default_rng(0), len(column.accuracy)
    return np.array([column.rho(row, rng.integers(count, size=count)) for _ in range(RESAMPLES)])


def tasks_of(found: Sequence[Column], rhos: Sequence[float]) -> list[int]:
    """Places of the columns that count for a row's mean: each task once."""
    there = {
        (one.group, one.name): place
        for place, (one, rho) in enumerate(zip(found, rhos))
        if not np.isnan(rho)
    }
    return [
        place
        for (group, task), place in there.items()
        if group != LISTED and not (group.startswith(PART) and (group[len(PART) :], task) in there)
    ]


def one_table(found: Sequence[Column]) -> None:
    heads = [f"{one.group}, {one.name}" for one in found]
    print(f"| row | {' | '.join(heads)} | mean | worst | of tasks |")
    print("|---|" + "---|" * (len(heads) + 3))
    print(f"| architectures | {' | '.join(str(len(one.accuracy)) for one in found)} | | | |")
    for row in (*MADE, *SINGLE):
        rhos = np.array([one.rho(row) for one in found])
        shown = ["" if np.isnan(rho) else f"{rho:.3f}" for rho in rhos]
        counted = rhos[tasks_of(found, rhos)]
        if len(counted):
            ends = f"{counted.mean():.3f} | {counted.min():.3f} | {len(counted)}"
            print(f"| {row} | {' | '.join(shown)} | {ends} |", flush=True)


def mean(of_columns: Mapping[int, np.ndarray]) -> np.ndarray:
    return np.mean([*of_columns.values()], axis=0)


def worst_space(found: Sequence[Column], of_columns: Mapping[int, np.ndarray]) -> np.ndarray:
    """The mean over the tasks of the space where that is lowest, in each resample."""
    spaces = {found[place].group for place in of_columns}
    return np.min(
        [mean({i: of for i, of in of_columns.items() if found[i].group == one}) for one in spaces],
        axis=0,
    )


def differences(found: Sequence[Column]) -> None:
    """Our combination less the others: where 0 is outside, by more than chance."""
    first, *others = MADE
    ours = [resampled(one, first) for one in found]
    print(f"\n| {first} less | " + " | ".join(f"{c.group}, {c.name}" for c in found), end="")
    print(" | mean of tasks | worst space |\n|---|" + "---|" * (len(found) + 2))
    print(f"| nothing, 95 % | {' | '.join(interval(one) for one in ours)} | | |")
    for other in others:
        theirs = [resampled(one, other) for one in found]
        cells = ["" if np.isnan(b).any() else interval(a - b) for a, b in zip(ours, theirs)]
        counted = tasks_of(found, [b.mean() for b in theirs])
        a, b = ({i: side[i] for i in counted} for side in (ours, theirs))
        cells += [interval(part(a) - part(b)) for part in (mean, partial(worst_space, found))]
        print(f"| {other} | {' | '.join(cells)} |", flush=True)


def given_with(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse a command line that names a folder with scores; they become `given.scores`."""
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    given.scores = given.folder / "scores.jsonl"
    if not given.scores.is_file():
        parser.error(f"there is no {given.scores}: it comes from the commands above.")
    return given


def main() -> None:
    given = given_with(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    with LineStore(given.scores) as store:
        found = [one for one in columns(store) if len(one.accuracy) >= FEWEST]
    one_table(found)
    differences(found)


if __name__ == "__main__":
    main()
