"""Which population, tournament and number of children: best fitness at equal numbers of scores.

    python benchmarks/search_settings.py scores.jsonl > settings.md

DARTS, tiny network, mu = sigma = 1.2; each setting gets the same number of scored architectures.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from remembered import Remembered

from naslib_swap import inputs, spaces
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings
from naslib_swap.optimizers.fitness import SizeWeighting, fitness
from naslib_swap.optimizers.measuring import NetworkMeasure
from naslib_swap.optimizers.tied_cells import TiedCells

WEIGHTING = SizeWeighting("fixed", 1.2, 1.2)
BASE = EvolutionSettings(population=20, mutations=5, offspring=5, weighting=WEIGHTING)
CHECKED_AT = (100, 200, 300)

SETTINGS = [
    replace(BASE, population=population, mutations=children, offspring=children)
    for population in (10, 20, 50)
    for children in (1, 5, 10)
] + [
    replace(BASE, offspring=1),
    replace(BASE, crossover=0.0),
    replace(BASE, crossover=1.0),
    replace(BASE, sample=5),
    replace(BASE, sample=20),
    replace(BASE, removal="oldest"),
    replace(BASE, population=100, mutations=1, offspring=1, removal="oldest", sample=25),
]


def best_after(settings: EvolutionSettings, measure: Remembered, seed: int) -> list[float]:
    evolution = Evolution(TiedCells(spaces.get("darts")), measure, settings, seed)
    while len(evolution.state.history) < max(CHECKED_AT):
        evolution.step()
    values = [
        fitness(record.measured, evolution.weighting())
        for record in evolution.state.history.values()
    ]
    return [max(values[:count]) for count in CHECKED_AT]


def random_after(measure: Remembered, seed: int) -> list[float]:
    space, rng = TiedCells(spaces.get("darts")), np.random.default_rng(seed)
    weighting = WEIGHTING.after(None)  # type: ignore[arg-type]
    values = [fitness(measure(space.sample(rng)), weighting) for _ in range(max(CHECKED_AT))]
    return [max(values[:count]) for count in CHECKED_AT]


def row(name: str, results: np.ndarray) -> None:
    cells = [
        f"{mean:.3f} ± {sd:.3f}"
        for mean, sd in zip(results.mean(axis=0), results.std(axis=0, ddof=1))
    ]
    print(f"| {name} | " + " | ".join(cells) + " |")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--source", default="natural")
    options = parser.parse_args()
    minibatch = inputs.load(options.source, samples=16)
    measure = Remembered(NetworkMeasure("darts", "tiny", minibatch, repeats=1), options.scores)
    print(
        "| P | S | mutations | offspring | crossover | leaves | "
        + " | ".join(f"after {count}" for count in CHECKED_AT)
        + " |"
    )
    print("|---|---|---|---|---|---|" + "---|" * len(CHECKED_AT))
    seeds = range(options.seeds)
    row("random search | | | | |", np.array([random_after(measure, seed) for seed in seeds]))
    for one in SETTINGS:
        name = (
            f"{one.population} | {one.tournament} | {one.mutations} | {one.offspring} | "
            f"{one.crossover} | {one.removal}"
        )
        row(name, np.array([best_after(one, measure, seed) for seed in seeds]))


if __name__ == "__main__":
    main()
