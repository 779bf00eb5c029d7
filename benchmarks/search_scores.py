"""How many images and re-initialisations a DARTS search needs: rank correlation against cost.

    python benchmarks/search_scores.py > scores.md

On every n-th of the papers' 1000 DARTS architectures with known accuracy, CIFAR-10 images.
"""

from __future__ import annotations

import argparse
import time

from scipy.stats import spearmanr

from naslib_swap import ground_truth, spaces
from naslib_swap.optimizers.plan import SearchPlan

CHOICES = ((8, 8), (8, 32), (16, 1), (16, 4), (16, 8), (16, 32), (32, 1), (32, 8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archs", type=int, default=200)
    parser.add_argument("--source", default="cifar10")
    options = parser.parse_args()
    space = spaces.get("darts")
    truth = ground_truth.load("darts1000", space="darts", task="cifar10").accuracy
    keys = list(truth)[:: max(1, len(truth) // options.archs)]
    archs = [space.parse(key) for key in keys]
    accuracies = [truth[key] for key in keys]
    print("| images | re-initialisations | Spearman | CPU time, the first row's is 1 |")
    print("|---|---|---|---|")
    first = 0.0
    for samples, repeats in CHOICES:
        plan = SearchPlan(inputs=options.source, samples=samples, repeats=repeats)
        measure = plan.complete().measure()
        start = time.process_time()
        scores = [measure(arch).score for arch in archs]
        seconds = time.process_time() - start
        first = first or seconds
        rho = spearmanr(scores, accuracies)[0]
        print(f"| {samples} | {repeats} | {rho:.3f} | {seconds / first:.1f} |", flush=True)


if __name__ == "__main__":
    main()
