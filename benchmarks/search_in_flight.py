"""What cycles in flight cost and bring: regret, and how busy workers are.

    python benchmarks/search_in_flight.py > in_flight.md

NASLIB_SWAP_DATA names the folder with the tables. Searches among the 9,445 NAS-Bench-201 networks
of search_stored.py, by stored scores. Regret is that of the best among as many scored networks,
whatever the last cycle brought beyond. How busy workers are is the share of their time, up to the
last of these scores, that went into these scores: scores take from half to one and a half of a mean
time, at random, and a free worker takes the next one; what else a search does is left out
(search_cost.py).
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from search_stored import BEST, DATASETS, PLAIN, Landscape, named

from naslib_swap.combinations import signed
from naslib_swap.optimizers.fitness import Scored

IN_FLIGHT, SCORED, WORKERS = (1, 2, 4, 8, 16, 32), (100, 300), (2, 4, 16, 64)


class Timed:
    """A measure by workers whose time is made up.

    Attributes
    ----------
    took, came
        Of each score that was waited for: how long it took, and when it was there.
    """

    def __init__(self, measure: Callable[[Sequence[Any]], list[Scored]], workers: int) -> None:
        self.measure, self.free, self.now = measure, [0.0] * workers, 0.0
        self.rng = np.random.default_rng(0)
        self.took, self.came = list[float](), list[float]()

    def __call__(self, archs: Sequence[Any]) -> Iterator[Scored]:
        ends = []
        for seconds in (took := self.rng.uniform(0.5, 1.5, len(archs))):
            ends.append(max(self.now, self.free[0]) + seconds)
            heapq.heapreplace(self.free, ends[-1])

        def waited() -> Iterator[Scored]:
            self.now = max([self.now, *ends])
            self.took += took.tolist()
            self.came += [self.now] * len(ends)
            yield from self.measure(archs)

        return waited()

    def busy(self, scored: int) -> float:
        """Return the share of their time in which workers made the first scores."""
        return sum(self.took[:scored]) / (len(self.free) * self.came[scored - 1])


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
    measure = landscape.by(rule.members)
    print("| in flight | scored | regret " + " | regret ".join(DATASETS) + " | busy, of ", end="")
    print(" | of ".join(f"{count} workers" for count in WORKERS) + " |")
    print("|---|---|" + "---|" * (len(DATASETS) + len(WORKERS)))
    first: dict[tuple[int, str], np.ndarray] = {}
    for scored in SCORED:
        for cycles in IN_FLIGHT:
            settings = replace(PLAIN, combination=rule, in_flight=cycles)
            found = [
                pick(landscape, list(one.state.history)[:scored])
                for seed in range(options.seeds)
                for one in [landscape.search(measure, settings, seed, scored)]
            ]
            cells = []
            for dataset in DATASETS:
                regret = np.array([landscape.regret(dataset, arch) for arch in found])
                more = regret - first.setdefault((scored, dataset), regret)
                half = 1.96 * more.std(ddof=1) / len(more) ** 0.5
                said = f" ({more.mean():+.2f} ± {half:.2f})" if cycles > 1 else ""
                cells.append(f"{regret.mean():.2f}{said}")
            for workers in WORKERS:
                timed = Timed(measure, workers)
                landscape.search(timed, settings, 0, scored)
                cells.append(f"{100 * timed.busy(scored):.0f} %")
            print(f"| {cycles} | {scored} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
