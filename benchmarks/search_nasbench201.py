"""What searches find on NAS-Bench-201: accuracy and regret on its three datasets.

    python benchmarks/search_nasbench201.py scores/ > nasbench201.md

Scores are computed once, kept under the folder given and shared by all seeds and strategies.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from remembered import Remembered

from naslib_swap import combinations, ground_truth, spaces
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings, each
from naslib_swap.optimizers.fitness import Scored, SizeWeighting
from naslib_swap.optimizers.plan import SearchPlan

SPACE = spaces.get("nasbench201")
DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
NONE = SizeWeighting("none")
# Real et al. 2019 as it stands: one mutant a cycle, no crossover, the oldest leaves.
REAL = EvolutionSettings(
    population=20, sample=10, mutations=1, crossover=0.0, removal="oldest", weighting=NONE
)
# Random search is an evolution that never gets past its first population.
Measure = Callable[[Any], Scored]


@dataclass(frozen=True)
class Strategy:
    """A way to pick an architecture: by which score, weighed how, in how many evaluations."""

    name: str
    measure: Measure
    settings: EvolutionSettings
    scored: int
    picked_by_accuracy: int = 1


def picks(strategy: Strategy, seed: int) -> list[str]:
    """The best of one search; several where their true accuracies are then looked at."""
    evolution = Evolution(SPACE, each(strategy.measure), strategy.settings, seed)
    while len(evolution.state.history) < strategy.scored and not evolution.state.exhausted:
        evolution.step()
    return [record.arch for record in evolution.top(strategy.picked_by_accuracy)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--scored", type=int, default=100)
    parser.add_argument("--source", default="cifar10")
    parser.add_argument("--only", default="", help="strategies with this in their names")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)

    accuracy = {
        name: ground_truth.load("nasbench201", space="nasbench201", task=name).accuracy
        for name in DATASETS
    }
    plan = SearchPlan("nasbench201", inputs=options.source).complete()

    @cache
    def by(proxy: str) -> Remembered:
        measure = replace(plan, proxy=proxy).measure()
        return Remembered(measure, options.scores / f"{options.source}_{proxy}.jsonl")

    def truth(dataset: str) -> Measure:
        return lambda arch: Scored(accuracy[dataset][SPACE.encode(arch)], 0.0)

    swap, nwot = by("swap"), by("nwot")
    params = replace(plan, proxy="params").measure()
    count = options.scored
    plain = EvolutionSettings(weighting=NONE)
    guided = replace(plain, combination=combinations.get("guided_rank"))
    az_nas = replace(plain, combination=combinations.get("az_nas"))
    steady = replace(plain, combination=combinations.get("steady_rank"))
    largest = replace(plain, weighting=plan.weighting())
    adaptive = replace(plain, weighting=SizeWeighting("adaptive"))
    only = replace(plain, population=count)
    strategies = [
        Strategy("`swap_re`, SWAP alone", swap, plain, count),
        Strategy("`swap_re`, reg-SWAP (largest)", swap, largest, count),
        Strategy("`swap_re`, reg-SWAP (adaptive)", swap, adaptive, count),
        Strategy("`swap_re`, SWAP alone, best of top 10", swap, plain, count, 10),
        Strategy("`swap_re`, reg-SWAP (largest), best of top 10", swap, largest, count, 10),
        Strategy("`swap_re`, reg-SWAP (adaptive), best of top 10", swap, adaptive, count, 10),
        Strategy("`swap_re`, guided_rank", by("guided_rank"), guided, count),
        Strategy("`swap_re`, az_nas", by("az_nas"), az_nas, count),
        Strategy("`swap_re`, steady_rank", by("steady_rank"), steady, count),
        Strategy("`swap_re`, steady_rank, best of top 10", by("steady_rank"), steady, count, 10),
        Strategy("evolution, #params", params, plain, count),
        Strategy("evolution, NWOT", nwot, plain, count),
        Strategy("evolution, scaled_l_swag", by("scaled_l_swag"), plain, count),
        Strategy("random search, SWAP", swap, only, count),
        Strategy("random search, reg-SWAP", swap, replace(largest, population=count), count),
    ]
    print(
        "| strategy | scored | true accuracies | "
        + " | ".join(DATASETS)
        + " | "
        + " | ".join(f"regret {name}" for name in DATASETS)
        + " |"
    )
    print("|---|---|---|" + "---|" * 2 * len(DATASETS))
    best = {name: max(accuracy[name].values()) for name in DATASETS}
    for strategy in (one for one in strategies if options.only in one.name):
        looked = 0 if strategy.picked_by_accuracy == 1 else strategy.picked_by_accuracy
        found = [picks(strategy, seed) for seed in seeds]
        columns = {
            name: np.array([max(accuracy[name][arch] for arch in top) for top in found])
            for name in DATASETS
        }
        row(strategy.name, strategy.scored, looked, columns, best)
    if options.only:
        return
    for name, settings in (
        ("random search, true accuracy", replace(REAL, population=100, sample=None)),
        ("regularised evolution, true accuracy", REAL),
    ):
        columns = {}
        for dataset in DATASETS:
            strategy = Strategy(name, truth(dataset), settings, 100)
            found = [picks(strategy, seed)[0] for seed in seeds]
            columns[dataset] = np.array([accuracy[dataset][arch] for arch in found])
        row(name, 0, 100, columns, best)
    row("optimum", "", "", {name: np.array([best[name]]) for name in DATASETS}, best)


def row(
    name: str, scored: Any, looked: Any, columns: dict[str, np.ndarray], best: dict[str, float]
) -> None:
    values = [spread(columns[dataset]) for dataset in DATASETS]
    regrets = [f"{(best[dataset] - columns[dataset]).mean():.2f}" for dataset in DATASETS]
    print(f"| {name} | {scored} | {looked} | " + " | ".join(values + regrets) + " |")
    sys.stdout.flush()


def spread(values: np.ndarray) -> str:
    if len(values) < 2:
        return f"{values.mean():.2f}"
    return f"{values.mean():.2f} ± {values.std(ddof=1):.2f}"


if __name__ == "__main__":
    main()
