"""Whether a search gains by several draws of a score, at an equal number of draws in all.

    python benchmarks/search_draws.py draws.jsonl > draws.md
    python benchmarks/search_draws.py draws.jsonl --guides steady_rank --networks 300 --draws 5

A pool of random NAS-Bench-201 networks is scored in several draws (of weights and natural crops),
kept in a file and resumed. Then searches among these networks are simulated: evolution, and random
search with a choice. Ways to spend a budget of draws: one for each candidate, as the search does;
several for each, averaged; one, and several for the finalists; one, and several where two
candidates are close in rank, with a one-sided rank test between them (arXiv 2502.19657). The
settings of each way are chosen on the first half of the seeds and judged on the other half. The
accuracies that judge come from the full table, the pool's best is the optimum.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import mannwhitneyu, spearmanr

from naslib_swap import ground_truth, spaces
from naslib_swap.combinations import find, signed
from naslib_swap.scoring import Architecture, Execution, Study, conditions_for, gather
from naslib_swap.scoring.runs import run
from naslib_swap.scoring.store import LineStore

SPACE = spaces.get("nasbench201")
DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
POPULATION, TOURNAMENT, CHILDREN, LAST = 20, 10, 5, 5


@dataclass(frozen=True)
class Way:
    """How draws are spent.

    Attributes
    ----------
    each
        Draws of a candidate when it is first scored.
    draws
        Of two that are close, or of finalists.
    near
        They are close where this share of all candidates, or fewer, lies between them; 0 asks for
        no test.
    level
        The lower one wins where a rank test gives it this p or less.
    finalists
        How many of the best get `draws` at the end; their mean chooses.
    """

    each: int = 1
    draws: int = 1
    near: float = 0.0
    level: float = 0.0
    finalists: int = 0

    def __str__(self) -> str:
        if self.near:
            return f"{self.draws} draws within {self.near:g} of the ranks, p <= {self.level:g}"
        if self.finalists:
            return f"{self.draws} draws of {self.finalists} finalists"
        return f"{self.each} for each"


ONE = Way()
WAYS = {
    "several for each": [Way(each=n) for n in (2, 3, 5)],
    "finalists": [Way(draws=n, finalists=last) for n in (3, 5) for last in (3, 5, 10)],
    "rank test": [
        Way(draws=n, near=near, level=level)
        for n in (3, 4, 6)
        for near in (0.02, 0.05, 0.2)
        for level in (0.05, 0.2, 0.5)
    ],
}


def pool(networks: int) -> list[str]:
    """Return different random networks, in the space's notation."""
    rng, found = np.random.default_rng(0), {}
    while len(found) < networks:
        arch = SPACE.sample(rng)
        found.setdefault(SPACE.encode(SPACE.canonical(arch)), SPACE.encode(arch))
    return list(found.values())


def scored(file: Path, archs: Sequence[str], names: Sequence[str], draws: int) -> dict[str, Any]:
    """Return the values by each proxy, higher is better, float64 [networks, draws]."""
    study = Study(
        SPACE.name,
        "cifar10",
        {arch: Architecture(SPACE.name, "cifar10", arch) for arch in archs},
        tuple(names),
        tuple(range(draws)),
        conditions_for(SPACE.name, "cifar10", names=names),
    )
    with LineStore(file) as store:
        run([study], store, Execution(workers=1))
        (frame,) = gather([study], store)
    tables = {name: of.pivot(index="arch", columns="seed") for name, of in frame.groupby("proxy")}
    return {
        name: signed(table["value"].loc[list(archs)].to_numpy(float), name)
        for name, table in tables.items()
    }


def guide(name: str, values: dict[str, Any]) -> np.ndarray:
    """Return the score that guides; that of a combination is among the whole pool, draw by draw."""
    one = find(name)
    if one is None:
        return np.asarray(values[name])
    return np.array([one.among(np.array(of)) for of in zip(*(values[m].T for m in one.members))]).T


@cache
def p_value(above: int, n: int, m: int) -> float:
    """Return the one-sided p of n values of which `above` pairs with the m others are higher."""
    counts = [min(m, max(0, above - m * i)) for i in range(n)]
    x = [count - 0.5 + i * 1e-3 for i, count in enumerate(counts)]
    return float(mannwhitneyu(x, range(m), alternative="greater", method="exact").pvalue)


class Contest:
    """Candidates, what was drawn of them, and the draws that are left."""

    def __init__(self, values: np.ndarray, way: Way, budget: int) -> None:
        self.values, self.way, self.left = values, way, budget
        self.taken = np.zeros(len(values), int)
        self.mean = np.full(len(values), -np.inf)
        self.known: list[int] = []

    def draw(self, one: int, count: int) -> bool:
        more = count - self.taken[one]
        if more > self.left:
            return False
        if more > 0:
            if not self.taken[one]:
                self.known.append(one)
            self.left -= more
            self.taken[one] = count
            self.mean[one] = self.values[one, :count].mean()
        return True

    def best(self, ones: Sequence[int]) -> int:
        ranked = sorted(ones, key=self.mean.__getitem__, reverse=True)
        champion = ranked[0]
        if not self.way.near:
            return champion
        for one in ranked[1:]:
            means = self.mean[self.known]
            low, high = sorted((self.mean[one], self.mean[champion]))
            between = ((means > low) & (means < high)).sum()
            if between > self.way.near * len(means) or not (
                self.draw(champion, self.way.draws) and self.draw(one, self.way.draws)
            ):
                continue
            x, y = (
                self.values[one, : self.taken[one]],
                self.values[champion, : self.taken[champion]],
            )
            above = int((x[:, None] > y[None, :]).sum())
            if p_value(above, len(x), len(y)) <= self.way.level:
                champion = one
        return champion

    def choice(self) -> int:
        """Return the final pick; what is kept back for it is spent here."""
        last = sorted(self.known, key=self.mean.__getitem__, reverse=True)
        if self.way.finalists:
            last = last[: self.way.finalists]
            for one in last:
                self.draw(one, self.way.draws)
            return max(last, key=self.mean.__getitem__)
        return self.best(last[:LAST] if self.way.near else last)


def random_search(contest: Contest, keep: int, order: np.ndarray, near: np.ndarray) -> int:
    for one in order:
        if contest.left - keep < contest.way.each:
            break
        contest.draw(one, contest.way.each)
    return contest.choice()


def evolution(
    contest: Contest, keep: int, order: np.ndarray, near: np.ndarray, rng: np.random.Generator
) -> int:
    """The default search without crossover; mutants are the nearest networks not yet tried."""
    way = contest.way
    living = [int(one) for one in order[:POPULATION] if contest.draw(one, way.each)]
    while contest.left - keep >= way.each:
        parent = contest.best(rng.choice(living, TOURNAMENT, replace=False).tolist())
        fresh = [int(one) for one in near[parent] if not contest.taken[one]][:CHILDREN]
        children = []
        for one in fresh:
            if contest.left - keep >= way.each and contest.draw(one, way.each):
                children.append(one)
        if not children:
            break
        living.append(contest.best(children))
        living.remove(min(living, key=contest.mean.__getitem__))
    return contest.choice()


def picked(values: np.ndarray, archs: np.ndarray, way: Way, search: str, seed: int, n: int) -> int:
    """Return the place of the network that one simulated search ends with."""
    rng = np.random.default_rng(seed)
    drawn = values[:, rng.permutation(values.shape[1])]
    order = rng.permutation(len(values))
    keep = way.finalists * (way.draws - way.each)
    if way.near:
        keep = LAST * (way.draws - way.each) // 2  # the best were compared before
    contest = Contest(drawn, way, n)
    if search == "random search":
        return random_search(contest, keep, order, archs)
    near = _nearest(seed, archs.tobytes(), archs.shape)
    return evolution(contest, keep, order, near, rng)


@cache
def _nearest(seed: int, archs: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Return the other networks by the number of operations that differ, ties at random."""
    of = np.frombuffer(archs, np.int8).reshape(shape)
    apart = (of[:, None] != of[None]).sum(2) + np.random.default_rng([seed, 1]).random(
        (len(of), len(of))
    )
    return np.argsort(apart, axis=1)[:, :100].astype(np.int16)


def study(
    name: str, values: np.ndarray, archs: Sequence[str], seeds: int, budget: int, folds: int = 2
) -> None:
    """Print what each way of spending draws gives with one guide."""
    accuracy = {
        d: ground_truth.load("nasbench201", space=SPACE.name, task=d).accuracy for d in DATASETS
    }
    regret = {d: np.array([accuracy[d][arch] for arch in archs]) for d in DATASETS}
    regret = {d: found.max() - found for d, found in regret.items()}
    coded = np.array([SPACE.parse(arch) for arch in archs], np.int8)
    between = np.mean([spearmanr(values[:, 0], other)[0] for other in values.T[1:]])
    first = spearmanr(values[:, 0], -regret["cifar10"])[0]
    mean = spearmanr(values.mean(1), -regret["cifar10"])[0]
    print(
        f"\n{name}: Spearman between two draws {between:.3f}; with accuracy on CIFAR-10 "
        f"{first:.3f} by one draw, {mean:.3f} by the mean of {values.shape[1]}.\n"
    )
    print("| search | draws | chosen settings | " + " | ".join(DATASETS) + " |")
    print("|---|---|---|" + "---|" * len(DATASETS))

    def picks(way: Way, search: str, of: np.ndarray, part: range) -> np.ndarray:
        return np.array([picked(of, coded, way, search, seed, budget) for seed in part])

    half = range(seeds // folds), range(seeds // folds, seeds)
    for search in ("evolution", "random search"):
        start = picks(ONE, search, values, half[1])
        cells = [spread(regret[d][start]) for d in DATASETS]
        print(f"| {search} | one for each: regret | | " + " | ".join(cells) + " |")
        free = values.mean(1, keepdims=True)
        ways = {"a bound: the mean of all draws at the price of one": (free, ONE)}
        for kind, grid in WAYS.items():
            possible = [w for w in grid if max(w.each, w.draws) <= values.shape[1]]
            costs = [
                regret["cifar10"][picks(way, search, values, half[0])].mean() for way in possible
            ]
            ways[kind] = (values, possible[int(np.argmin(costs))])
        for kind, (of, way) in ways.items():
            found = picks(way, search, of, half[1])
            cells = [spread(regret[d][found] - regret[d][start], "+") for d in DATASETS]
            said = "" if of is free else str(way)
            print(f"| {search} | {kind}: difference | {said} | " + " | ".join(cells) + " |")
            sys.stdout.flush()


def spread(values: np.ndarray, sign: str = "") -> str:
    """Return the mean and the half width of its 95 % interval over the seeds."""
    return f"{values.mean():{sign}.2f} ± {1.96 * values.std(ddof=1) / len(values) ** 0.5:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scores", type=Path)
    parser.add_argument("--guides", default="swap,reg_swap,nwot")
    parser.add_argument("--networks", type=int, default=600)
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--budget", type=int, default=100, help="draws in all")
    options = parser.parse_args()
    guides = options.guides.split(",")
    members = [
        member
        for name, one in zip(guides, map(find, guides))
        for member in (one.members if one else (name,))
    ]
    archs = pool(options.networks)
    values = scored(options.scores, archs, tuple(dict.fromkeys(members)), options.draws)
    print(
        f"{options.networks} networks, {options.draws} draws; {options.budget} draws a search; "
        f"{options.seeds} seeds, the first half chooses settings, the other half judges."
    )
    for name in guides:
        study(name, guide(name, values), archs, options.seeds, options.budget)


if __name__ == "__main__":
    main()
