"""SWAP in front of a predictor-based NASLib optimiser: NPENAS on NAS-Bench-201, CIFAR-10.

    python benchmarks/search_pseudo_labels.py scores/ > pseudo_labels.md

Three searches with the same number of true accuracies: NPENAS as it is; NPENAS that starts from
prescreened architectures; NPENAS whose random forest also learns from pseudo-labels. Needs NASLib,
importable or under NASLIB_ROOT.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from remembered import Remembered

from naslib_swap import ground_truth, spaces
from naslib_swap.optimizers.other_paradigms import prescreen, pseudo_labels
from naslib_swap.optimizers.plan import SearchPlan
from naslib_swap.plugin import hook
from naslib_swap.spaces.nasbench201 import architecture_string

hook.install()
if "NASLIB_ROOT" in os.environ:
    sys.path.append(os.environ["NASLIB_ROOT"])

from fvcore.common.config import CfgNode  # noqa: E402
from naslib.optimizers import Npenas  # noqa: E402
from naslib.search_spaces import NasBench201SearchSpace  # noqa: E402

SPACE = spaces.get("nasbench201")
KINDS = ("as it is", "prescreened start", "pseudo-labels")


class Prescreened(Npenas):
    """NPENAS whose first architectures are the best of a scored draw."""

    def __init__(self, config: Any, archs: list[Any]) -> None:
        super().__init__(config)
        self.waiting = list(archs)

    def _sample_new_model(self) -> Any:
        model = super()._sample_new_model()
        if self.waiting:
            model.arch = graph(self.waiting.pop(0))
            model.arch_hash = model.arch.get_hash()
        return model


class PseudoLabelled(Npenas):
    """NPENAS whose predictor learns from pseudo-labels beside the true accuracies."""

    def __init__(self, config: Any, archs: list[Any], measure: Any, weighting: Any) -> None:
        super().__init__(config)
        self.archs, self.measure, self.weighting = archs, measure, weighting

    def _get_train(self) -> tuple[list[Any], list[float]]:
        known, accuracies = super()._get_train()
        labels = pseudo_labels(
            self.archs, measure=self.measure, weighting=self.weighting, accuracies=accuracies
        )
        return [*known, *map(graph, self.archs)], [*accuracies, *labels]

    def _get_new_candidates(self, ytrain: list[float]) -> list[Any]:
        # Only architectures of known accuracy become parents.
        return super()._get_new_candidates(ytrain[: len(self.train_data)])


def graph(arch: Any) -> Any:
    """NASLib's graph of an architecture, without a network."""
    made = NasBench201SearchSpace()
    made.instantiate_model = False
    made.set_spec(list(arch))
    return made


def benchmark() -> tuple[dict[str, Any], dict[str, float]]:
    """The accuracies as NASLib's `query` wants them, and by architecture."""
    accuracy = ground_truth.load("nasbench201", space="nasbench201", task="cifar10").accuracy
    data = {
        architecture_string(SPACE.parse(key)): {"cifar10-valid": {"eval_acc1es": [value]}}
        for key, value in accuracy.items()
    }
    return {"nb201_data": data}, accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--accuracies", type=int, nargs="+", default=[10, 20, 40])
    parser.add_argument("--scored", type=int, default=50)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    options = parser.parse_args()
    api, accuracy = benchmark()
    plan = SearchPlan("nasbench201", inputs="cifar10").complete()
    measure = Remembered(plan.measure(), options.scores / "cifar10_swap.jsonl")
    weighting = plan.weighting()

    def found(kind: str, seed: int) -> list[float]:
        np.random.seed(seed)  # noqa: NPY002 (NASLib draws from the global generator)
        random.seed(seed)
        config = CfgNode(
            {
                "dataset": "cifar10",
                "search": {
                    "epochs": max(options.accuracies),
                    "k": 5,
                    "num_init": 5,
                    "num_ensemble": 1,
                    "predictor_type": "rf",
                    "encoding_type": "adjacency_one_hot",
                    "num_arches_to_mutate": 5,
                    "max_mutations": 1,
                    "num_candidates": 50,
                },
            }
        )
        best = [
            SPACE.parse(record.arch)
            for record in prescreen(
                SPACE,
                options.scored,
                options.scored,
                measure=measure,
                weighting=weighting,
                seed=seed,
            )
        ]
        if kind == "prescreened start":
            optimiser = Prescreened(config, best[:5])
        elif kind == "pseudo-labels":
            optimiser = PseudoLabelled(config, best, measure, weighting)
        else:
            optimiser = Npenas(config)
        space = NasBench201SearchSpace()
        space.instantiate_model = False
        optimiser.adapt_search_space(space, dataset_api=api)
        for epoch in range(max(options.accuracies)):
            optimiser.new_epoch(epoch)
        seen = [accuracy[SPACE.encode(tuple(m.arch_hash))] for m in optimiser.train_data]
        return [max(seen[:count]) for count in options.accuracies]

    print("| NPENAS | " + " | ".join(f"{n} accuracies" for n in options.accuracies) + " |")
    print("|---|" + "---|" * len(options.accuracies))
    for kind in options.kinds:
        results = np.array([found(kind, seed) for seed in range(options.seeds)])
        cells = [
            f"{mean:.2f} ± {sd:.2f}"
            for mean, sd in zip(results.mean(axis=0), results.std(axis=0, ddof=1))
        ]
        print(f"| {kind} | " + " | ".join(cells) + " |", flush=True)
    print(f"\noptimum {max(accuracy.values()):.2f}")


if __name__ == "__main__":
    main()
