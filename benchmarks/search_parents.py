"""What several parents of a cycle cost and bring: regret, and how busy workers are.

    python benchmarks/search_parents.py > parents.md

NASLIB_SWAP_DATA names the folder with the tables. Searches among the 9,445 NAS-Bench-201 networks
of search_stored.py, by stored scores. Regret is that of the best among as many scored networks,
whatever the last cycle brought beyond. How busy workers are follows from the batches of the search:
scores take from half to one and a half of a mean time, at random, and a free worker takes the next
one; what happens between the batches is left out (search_cost.py).
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from search_stored import BEST, DATASETS, PLAIN, Landscape, named

from naslib_swap.combinations import signed
from naslib_swap.optimizers.fitness import Scored

PARENTS, SCORED, WORKERS = (1, 2, 4, 8), (100, 300), (2, 4, 16, 64)


def busy(batches: Sequence[int], workers: int) -> float:
    """Return the share of their time in which workers score."""
    rng = np.random.default_rng(0)
    scoring = ending = 0.0
    for size in batches:
        free = [ending] * workers
        for seconds in rng.uniform(0.5, 1.5, size):
            heapq.heapreplace(free, free[0] + seconds)
            scoring += seconds
        ending = max(free)
    return scoring / (workers * ending)


class Counted:
    """A measure that remembers how many it was given at once."""

    def __init__(self, measure: Callable[[Sequence[Any]], list[Scored]]) -> None:
        self.measure, self.batches = measure, list[int]()

    def __call__(self, archs: Sequence[Any]) -> list[Scored]:
        self.batches.append(len(archs))
        return self.measure(archs)


def pick(landscape: Landscape, archs: Sequence[str]) -> str:
    rule = named(BEST)
    values = [[landscape.values(arch, (name,))[name] for arch in archs] for name in rule.members]
    ranked = [signed(np.array(row, float), name) for row, name in zip(values, rule.members)]
    return archs[int(np.argmax(rule.among(np.array(ranked))))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=40)
    options = parser.parse_args()
    landscape, rule = Landscape(), named(BEST)
    print("| parents | scored | regret " + " | regret ".join(DATASETS) + " | busy, of ", end="")
    print(" | of ".join(f"{count} workers" for count in WORKERS) + " |")
    print("|---|---|" + "---|" * (len(DATASETS) + len(WORKERS)))
    first: dict[tuple[int, str], np.ndarray] = {}
    for scored in SCORED:
        for parents in PARENTS:
            counted = Counted(landscape.by(rule.members))
            settings = replace(PLAIN, combination=rule, parents=parents)
            found = [
                pick(landscape, list(one.state.history)[:scored])
                for seed in range(options.seeds)
                for one in [landscape.search(counted, settings, seed, scored)]
            ]
            cells = []
            for dataset in DATASETS:
                regret = np.array([landscape.regret(dataset, arch) for arch in found])
                more = regret - first.setdefault((scored, dataset), regret)
                half = 1.96 * more.std(ddof=1) / len(more) ** 0.5
                said = f" ({more.mean():+.2f} ± {half:.2f})" if parents > 1 else ""
                cells.append(f"{regret.mean():.2f}{said}")
            cells += [f"{100 * busy(counted.batches, workers):.0f} %" for workers in WORKERS]
            print(f"| {parents} | {scored} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
