"""Rules for mu and sigma compared: Spearman with accuracy on every space at hand.

    NASLIB_SWAP_DATA=... python benchmarks/regularisation.py [--archs 400] [--workers 2]

SWAP is scored once for each architecture (16 CIFAR-10 images); the rules are then applied to the
stored scores. Sizes come from 1000 architectures sampled at random, never from the ones scored.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import pandas as pd

from naslib_swap import ground_truth, spaces
from naslib_swap.evaluation.correlate import spearman
from naslib_swap.evaluation.report import scores_of
from naslib_swap.regularisation import RULES
from naslib_swap.scoring.runs import run
from naslib_swap.scoring.store import ScoreStore
from naslib_swap.scoring.study import InputsSpec, Study, regularisation_of, sample_architectures

CASES = [
    ("nasbench101", "cifar10", "suite-zero", None),
    ("nasbench201", "cifar10", "suite-zero", None),
    ("nasbench201", "cifar100", "suite-zero", None),
    ("nasbench201", "ImageNet16-120", "suite-zero", None),
    ("nasbench301", "cifar10", "suite-zero", None),
    ("darts", "cifar10", "darts1000", "tiny"),
    ("transbench101_micro", "class_scene", "suite-zero", None),
    ("transbench101_macro", "class_scene", "suite-zero", None),
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--archs", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/regularisation"))
    parser.add_argument("--spaces", nargs="*")
    options = parser.parse_args()
    rows = []
    for space, task, source, variant in CASES:
        if options.spaces and space not in options.spaces:
            continue
        rows.append(compare(space, task, source, variant, options))
        print(pd.DataFrame(rows).to_string(index=False, float_format="%.3f"), flush=True)


def compare(
    space: str, task: str, source: str, variant: str | None, options: argparse.Namespace
) -> dict[str, object]:
    truth = ground_truth.load(source, space=space, task=task)
    count = min(options.archs, len(truth.accuracy))
    small = min(spaces.get(space).task(task).input_shape[-1], 32) < 32
    inputs = InputsSpec("natural", 16) if small or "trans" in space else InputsSpec("cifar10", 16)
    repeats = 32 if variant == "tiny" else 0
    study = Study(
        space=space,
        task=task,
        archs=sample_architectures(tuple(truth.accuracy), count, seed=0),
        proxies=("swap", "params"),
        inputs=inputs,
        settings={"repeats": repeats, "batch_repeats": max(repeats, 1)},
        variant=variant,
    )
    path = options.out / "scores.jsonl"
    with ScoreStore(path) as store:
        run([study], store, workers=options.workers)
    wide = scores_of(study, path).pivot(index="arch", columns="proxy", values="value")
    accuracy = pd.Series(truth.accuracy).reindex(wide.index).to_numpy(float)
    row: dict[str, object] = {
        "space": space,
        "task": task,
        "n": len(wide),
        "params": spearman(wide["params"].to_numpy(), accuracy),
        "swap": spearman(wide["swap"].to_numpy(), accuracy),
    }
    scored = spaces.get(space)
    spec = spaces.get(space).task(task)
    theta = [
        scored.parameters(
            scored.parse(arch),
            variant=variant or spec.variant,
            num_classes=spec.num_classes,
            in_channels=spec.in_channels,
        )
        / 1000
        for arch in wide.index
    ]
    for rule in RULES:
        found = regularisation_of(space, task, variant=variant, rule=rule)
        logs = [math.log(psi) + found.log_factor(size) for psi, size in zip(wide["swap"], theta)]
        row[rule] = spearman(pd.Series(logs).to_numpy(), accuracy)
    return row


if __name__ == "__main__":
    main()
