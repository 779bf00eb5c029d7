"""Which population, tournament and number of children: the best found at equal numbers of scores.

    python benchmarks/search_settings.py > settings.md

On NAS-Bench-201, where a table holds a proxy (zen) and the accuracy of all architectures, so that
searches cost nothing: the mean, over seeds, of how many per thousand of all architectures are
better than the best one found.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from naslib_swap import ground_truth, spaces
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings, each
from naslib_swap.optimizers.fitness import Scored, SizeWeighting

SPACE = spaces.get("nasbench201")
BASE = EvolutionSettings(weighting=SizeWeighting("none"))
CHECKED_AT = (100, 200, 300)

SETTINGS = [
    replace(BASE, population=population, mutations=children, offspring=children)
    for population in (10, 20, 50)
    for children in (1, 5, 10)
] + [
    replace(BASE, crossover=0.0),
    replace(BASE, crossover=1.0),
    replace(BASE, sample=2),
    replace(BASE, sample=20),
    replace(BASE, removal="oldest"),
    # Real et al. 2019, in proportion
    replace(BASE, mutations=1, crossover=0.0, removal="oldest"),
    replace(BASE, population=max(CHECKED_AT)),
]


def best_after(settings: EvolutionSettings, scores: dict[str, float], seed: int) -> list[float]:
    evolution = Evolution(
        SPACE, each(lambda arch: Scored(scores[SPACE.encode(arch)], 1.0)), settings, seed
    )
    while len(evolution.state.history) < max(CHECKED_AT):
        evolution.step()
    found = [record.score for record in evolution.state.history.values()]
    return [max(found[:count]) for count in CHECKED_AT]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    options = parser.parse_args()
    table = ground_truth.load("nasbench201", space="nasbench201", task="cifar10")
    landscapes = {"zen": table.proxies["zen"], "accuracy": table.accuracy}
    heads = [f"{name}, {count} scored" for name in landscapes for count in CHECKED_AT]
    print("| P | S | mutations | offspring | crossover | leaves | " + " | ".join(heads) + " |")
    print("|---|---|---|---|---|---|" + "---|" * len(heads))
    for one in SETTINGS:
        cells = []
        for scores in landscapes.values():
            every = np.sort(np.array(list(scores.values())))
            best = np.array([best_after(one, scores, seed) for seed in range(options.seeds)])
            better = len(every) - np.searchsorted(every, best, side="right")
            cells += [f"{1000 * mean / len(every):.2f}" for mean in better.mean(axis=0)]
        shape = [one.population, one.tournament, one.mutations, one.offspring, one.crossover]
        if one.population == max(CHECKED_AT):
            shape = ["random search", "", "", "", ""]
        print("| " + " | ".join(map(str, [*shape, one.removal, *cells])) + " |", flush=True)


if __name__ == "__main__":
    main()
