"""Rules for mu and sigma compared: Spearman with accuracy on every space at hand.

    NASLIB_SWAP_DATA=... python benchmarks/regularisation.py [--archs 300] [--samples 16]

SWAP is scored once for each architecture, on as many images as suit the space; the rules are then
applied to the stored scores. Sizes come from 1000 architectures sampled at random, never from the
ones scored.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd

from naslib_swap import Plan, compare, spaces
from naslib_swap.evaluation.markdown import markdown_table
from naslib_swap.evaluation.report import Outcome
from naslib_swap.evaluation.statistics import spearman
from naslib_swap.regularisation import RULES
from naslib_swap.scoring import Execution
from naslib_swap.scoring.conditions import regularisation_of

PLANS = [
    Plan(space=space, task=task, inputs=inputs, proxies=("swap", "params"))
    for space, task, inputs in (
        ("nasbench201", "cifar10", "cifar10"),
        ("nasbench201", "cifar100", "cifar10"),
        ("nasbench201", "ImageNet16-120", "natural"),
        ("nasbench101", "cifar10", "cifar10"),
        ("nasbench301", "cifar10", "cifar10"),
        ("transbench101_micro", "class_scene", "natural"),
        ("transbench101_macro", "class_scene", "natural"),
    )
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archs", type=int, default=300)
    parser.add_argument("--samples", type=int, default=0, help="images; 0: as suit the space")
    parser.add_argument("--spaces", nargs="*", default=sorted({plan.space for plan in PLANS}))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/regularisation"))
    options = parser.parse_args()
    plans = [
        replace(plan, archs=options.archs, samples=options.samples, truth="suite-zero")
        for plan in PLANS
        if plan.space in options.spaces
    ]
    outcomes = compare(plans, out=options.out, execution=Execution(workers=options.workers))
    rows = [row(plan, outcome) for plan, outcome in zip(plans, outcomes)]
    print(markdown_table(pd.DataFrame(rows)), end="")


def row(plan: Plan, outcome: Outcome) -> dict[str, str]:
    """Spearman of sizes, of SWAP, and of SWAP weighed by each rule."""
    computed = outcome.scores[outcome.scores["seed"].notna()]
    scores = computed.pivot(index="arch", columns="proxy", values="value").dropna()
    accuracy = pd.Series(outcome.accuracy).reindex(scores.index)
    space = spaces.get(plan.space)
    task = space.task(plan.task)
    found = {"params": scores["params"], "swap": scores["swap"]}
    for rule in RULES:
        size = regularisation_of(plan.space, plan.task, rule=rule)
        found[rule] = pd.Series(
            {
                arch: size.of(
                    scores["swap"][arch],
                    space.parameters(
                        space.parse(arch),
                        variant=task.variant,
                        num_classes=task.num_classes,
                        in_channels=task.in_channels,
                    )
                    / 1000,
                )
                for arch in scores.index
            }
        )
    return {
        "space, task": f"{plan.space}, {plan.task}",
        "n": str(len(scores)),
        **{
            name: f"{spearman(values.to_numpy(), accuracy.to_numpy()):.3f}"
            for name, values in found.items()
        },
    }


if __name__ == "__main__":
    main()
