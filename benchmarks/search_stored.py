"""What searches find where tables hold all scores, so that a search costs nothing.

    python benchmarks/search_stored.py > stored.md

NASLIB_SWAP_DATA names the folder with the tables. On the 9,445 NAS-Bench-201 networks without
unreachable operations, with NAS-Bench-Suite-Zero's stored scores: searches of 100 scored, final
choices, true accuracies that choose, and Pareto searches on two devices. On other spaces: picks out
of 100 networks of their tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from naslib_swap import ground_truth, spaces
from naslib_swap.combinations import Combination, read, signed
from naslib_swap.ground_truth import GroundTruth, catalogue
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings
from naslib_swap.optimizers.final import chosen
from naslib_swap.optimizers.fitness import Scored, SizeWeighting
from naslib_swap.optimizers.latency import read_table
from naslib_swap.optimizers.pareto import hypervolume
from naslib_swap.scoring import Architecture, Study, conditions_for, gather
from naslib_swap.scoring.shipped import taken
from naslib_swap.scoring.store import MemoryStore
from naslib_swap.scoring.study import survey

SPACE = spaces.get("nasbench201")
DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
PLAIN = EvolutionSettings(weighting=SizeWeighting("none"))
RULES = (
    "flops+params",
    "nwot+jacov",
    "flops+nwot",
    "flops+nwot+synflow",
    "flops+nwot-snip",
    "flops+nwot+synflow-snip",
    "flops+nwot+synflow-fisher",
    "flops+nwot+synflow-grad_norm",
    "flops+params+nwot+synflow-fisher",
    "flops+jacov+nwot+synflow-fisher",
)
BEST = "flops+nwot+synflow-fisher"
DEVICES = ("raspi4", "edgegpu")
TASKS = ("class_scene", "class_object", "jigsaw", "room_layout")
OTHERS = (
    (("nasbench301", "cifar10"), *(("transbench101_micro", task) for task in TASKS)),
    (("nasbench101", "cifar10"), *(("transbench101_macro", task) for task in TASKS)),
)
# NAS-Bench-101's table has no NWOT, that of TransNAS-Bench-101 macro no SynFlow.
WITHOUT = ("flops+synflow-fisher", "flops+nwot-fisher")
OURS = ("swap", "reg_swap")


def table(name: str) -> GroundTruth:
    folder = catalogue.data_folder()
    assert folder is not None, "NASLIB_SWAP_DATA names no folder"
    space, _, task = name.partition("__")
    path = folder / "tables" / f"{name}.csv.gz"
    return ground_truth.load("csv", space=space, task=task.partition("__")[0], path=path)


def named(text: str) -> Combination:
    return read(f"rule={text}")


class Landscape:
    """Stored scores and true accuracies; a search may look at these networks only."""

    def __init__(self) -> None:
        self.truth = table("nasbench201__cifar10__valid9445")
        self.known = frozenset(self.truth.accuracy)
        self.accuracy = {
            name: ground_truth.load("nasbench201", space="nasbench201", task=name).accuracy
            for name in DATASETS
        }
        self.best = {name: max(found.values()) for name, found in self.accuracy.items()}

    def admits(self, arch: Any) -> bool:
        return SPACE.encode(arch) in self.known

    def values(self, arch: str, names: Sequence[str]) -> dict[str, float | None]:
        return {name: self.truth.proxies[name].get(arch) for name in names}

    def by(self, names: Sequence[str]) -> Callable[[Sequence[Any]], list[Scored]]:
        return lambda archs: [
            Scored(None, 1.0, self.values(SPACE.encode(arch), names)) for arch in archs
        ]

    def by_accuracy(self, dataset: str) -> Callable[[Sequence[Any]], list[Scored]]:
        return lambda archs: [
            Scored(self.accuracy[dataset][SPACE.encode(arch)], 1.0) for arch in archs
        ]

    def search(
        self, measure: Any, settings: EvolutionSettings, seed: int, scored: int
    ) -> Evolution:
        evolution = Evolution(SPACE, measure, settings, seed, admissible=self.admits)
        while len(evolution.state.history) < scored and not evolution.state.exhausted:
            evolution.step()
        return evolution

    def regret(self, dataset: str, arch: str) -> float:
        return self.best[dataset] - self.accuracy[dataset][arch]


def spread(values: Sequence[float]) -> str:
    found = np.asarray(values)
    return f"{found.mean():.2f} ± {found.std(ddof=1) / len(found) ** 0.5:.2f}"


def searches(landscape: Landscape, seeds: int, scored: int) -> None:
    print("| guided by | true accuracies | " + " | ".join(DATASETS) + " |")
    print("|---|---|---|---|---|")

    def row(name: str, looked: int, found: dict[str, list[float]]) -> None:
        cells = " | ".join(spread(found[dataset]) for dataset in DATASETS)
        print(f"| {name} | {looked} | {cells} |", flush=True)

    for text in RULES:
        rule = named(text)
        settings = replace(PLAIN, combination=rule)
        tops = [
            [
                one.arch
                for one in landscape.search(landscape.by(rule.members), settings, s, scored).top(10)
            ]
            for s in range(seeds)
        ]
        row(text, 0, {d: [landscape.regret(d, top[0]) for top in tops] for d in DATASETS})
        if text != BEST:
            continue
        for names in (("jacov",), ("jacov", "nwot", "synflow", "flops"), ("epe_nas", "jacov")):
            last = [final(landscape, top, names) for top in tops]
            row(
                f"{text}; of the top 10 by {', '.join(names)}",
                0,
                {d: [landscape.regret(d, arch) for arch in last] for d in DATASETS},
            )
        row(
            f"{text}; best of the top 10",
            10,
            {d: [min(landscape.regret(d, arch) for arch in top) for top in tops] for d in DATASETS},
        )
    for name, settings in (
        ("random search", replace(PLAIN, population=scored)),
        ("evolution on accuracies", PLAIN),
    ):
        found = {
            d: [
                landscape.regret(
                    d,
                    landscape.search(landscape.by_accuracy(d), settings, s, scored).top(1)[0].arch,
                )
                for s in range(seeds)
            ]
            for d in DATASETS
        }
        row(name, scored, found)


def final(landscape: Landscape, top: list[str], names: Sequence[str]) -> str:
    scores = {
        name: np.array([[landscape.values(arch, (name,))[name] or np.nan] for arch in top])
        for name in names
    }
    return chosen(top, scores)[0].arch


def fronts(landscape: Landscape, seeds: int, scored: int) -> None:
    """Hypervolume of (100 - accuracy, latency), as a share of the true front's."""
    folder = catalogue.data_folder()
    assert folder is not None
    latency = read_table("nasbench201", folder / "tables" / "nasbench201_hardware__cifar10.csv.gz")
    print("\n| front of accuracy (CIFAR-10) and latency by | true accuracies | ", end="")
    print(" | ".join(DEVICES) + " |\n|---|---|" + "---|" * len(DEVICES))
    accuracy = landscape.accuracy["cifar10"]
    rule = named(BEST)

    def points(archs: Sequence[str], device: str) -> np.ndarray:
        return np.array([(100 - accuracy[arch], latency[device][arch]) for arch in archs])

    def share(archs: Sequence[str], device: str) -> float:
        every = points(sorted(landscape.known), device)
        worst = np.array([20.0, np.quantile(every[:, 1], 0.99)])
        return hypervolume(points(archs, device), worst) / hypervolume(every, worst)

    def with_latency(measure: Any, device: str) -> Any:
        def measured(archs: Sequence[Any]) -> list[Scored]:
            return [
                replace(one, costs={device: latency[device][SPACE.encode(arch)]})
                for arch, one in zip(archs, measure(archs))
            ]

        return measured

    ways = {
        f"Pareto search, {BEST}": (landscape.by(rule.members), rule, 20),
        f"random, front of {BEST}": (landscape.by(rule.members), rule, scored),
        "NSGA-II on accuracies": (landscape.by_accuracy("cifar10"), None, 20),
        "random, front of accuracies": (landscape.by_accuracy("cifar10"), None, scored),
    }
    for name, (measure, combination, population) in ways.items():
        cells = []
        for device in DEVICES:
            settings = replace(
                PLAIN,
                combination=combination,
                population=population,
                pareto=("score", device),
            )
            found = [
                landscape.search(with_latency(measure, device), settings, s, scored).front()
                for s in range(seeds)
            ]
            cells.append(spread([share([one.arch for one in front], device) for front in found]))
        looked = 0 if combination else scored
        print(f"| {name} | {looked} | " + " | ".join(cells) + " |", flush=True)


def others(seeds: int, drawn: int) -> None:
    """How many per cent of a table's networks are better than the pick out of some of them."""
    rules = ("params", *OURS, *WITHOUT, "flops+nwot", "flops+nwot+synflow", *RULES[5:])
    for named_ in OTHERS:
        print(f"\n| pick out of {drawn} | " + " | ".join(f"{s}, {t}" for s, t in named_) + " |")
        print("|---|" + "---|" * len(named_))
        tables = [_with_ours(_known(s, t)) for s, t in named_]
        for text in ("random", *rules):
            cells = [_better(one, text, seeds, drawn) for one in tables]
            if any(cells):
                print(f"| {text} | " + " | ".join(cells) + " |", flush=True)


def _known(space: str, task: str) -> GroundTruth:
    # Of micro's tables, those with SynFlow.
    if space == "transbench101_micro":
        return table(f"{space}__{task}")
    return ground_truth.load("suite-zero", space=space, task=task)


def _with_ours(truth: GroundTruth) -> GroundTruth:
    """Add the scores that come with the package."""
    subjects = {arch: Architecture(truth.space, truth.task, arch) for arch in truth.accuracy}
    study = Study(
        truth.space,
        truth.task,
        subjects,
        OURS,
        conditions=conditions_for(truth.space, truth.task, names=OURS),
    )
    store = MemoryStore()
    store.append(taken([study], survey([study])))
    (frame,) = gather([study], store)
    found = {name: dict(zip(of["arch"], of["value"])) for name, of in frame.groupby("proxy")}
    return replace(truth, proxies={**truth.proxies, **found})


def _better(truth: GroundTruth, text: str, seeds: int, drawn: int) -> str:
    archs = sorted(truth.accuracy)
    accuracy = np.array([truth.accuracy[arch] for arch in archs])
    members: tuple[str, ...] = ()
    if text != "random":
        members = named(text).members if "+" in text else (text,)
    if not set(members) <= set(truth.proxies):
        return ""
    values = np.array(
        [
            signed(np.array([truth.proxies[name].get(arch, np.nan) for arch in archs]), name)
            for name in members
        ]
    )
    found = []
    for seed in range(seeds):
        drawn_ = np.random.default_rng(seed).choice(len(archs), size=drawn, replace=False)
        place = drawn_[0]
        if members:
            cohort = values[:, drawn_]
            score = named(text).of(cohort) if len(members) > 1 else cohort[0]
            place = drawn_[np.nanargmax(score)]
        found.append(100 * (accuracy > accuracy[place]).mean())
    return spread(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--scored", type=int, default=100)
    parser.add_argument("--parts", default="searches,fronts,others")
    options = parser.parse_args()
    landscape = Landscape()
    if "searches" in options.parts:
        searches(landscape, options.seeds, options.scored)
    if "fronts" in options.parts:
        fronts(landscape, options.seeds, options.scored)
    if "others" in options.parts:
        others(max(options.seeds, 100), 100)


if __name__ == "__main__":
    main()
