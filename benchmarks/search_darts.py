"""The papers' DARTS searches: sizes found for given mu = sigma, and adaptively.

    python benchmarks/search_darts.py scores/ > darts.md
    python benchmarks/search_darts.py scores/ --task imagenet --source imagenet --path images.npz

Each row is the mean and standard deviation over seeds of the network to be trained (36 channels and
20 layers for CIFAR-10, 48 and 14 for ImageNet). ImageNet's networks are scored at 32 pixels, unless
`--resolution` says otherwise. Scores are kept under the folder given, so `--timed` is needed to
learn what a search costs: it measures every architecture anew, on as many processes as there are
cores.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
from remembered import Remembered

from naslib_swap import spaces
from naslib_swap.optimizers import search
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings, each
from naslib_swap.optimizers.fitness import SizeWeighting
from naslib_swap.optimizers.native import search as whole_search
from naslib_swap.optimizers.plan import SearchPlan
from naslib_swap.scoring import Execution
from naslib_swap.spaces.tied_cells import TiedCells

SPACE = spaces.get("darts")
FIXED = {"cifar10": (0.9, 1.2, 1.5), "imagenet": (25.0,)}
CLASSES = {"cifar10": 10, "imagenet": 1000}
RESOLUTIONS = {"cifar10": 0, "imagenet": 32}


def weightings(task: str) -> dict[str, SizeWeighting]:
    """Return how the papers weigh by size on a task, and SWAP alone beside it."""
    return {
        **{f"mu = sigma = {mu:g}": SizeWeighting("fixed", mu, mu) for mu in FIXED[task]},
        "adaptive": SizeWeighting("adaptive"),
        "SWAP alone": SizeWeighting("none"),
    }


def spent() -> float:
    """CPU seconds of this process and of the workers that have ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cycles", type=int, default=60)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--source", default="cifar10")
    parser.add_argument("--path", help="where its images are")
    parser.add_argument("--task", default="cifar10", choices=sorted(FIXED))
    parser.add_argument("--resolution", type=int, help="height and width in pixels")
    parser.add_argument("--timed", action="store_true")
    options = parser.parse_args()
    pixels = options.resolution or RESOLUTIONS[options.task]
    plan = SearchPlan(
        task=options.task,
        inputs=options.source,
        inputs_path=options.path,
        resolution=pixels,
        samples=options.samples,
        repeats=options.repeats,
        cycles=options.cycles,
        adaptive=True,
    )
    if options.timed:
        timed(plan)
        return
    name = f"{options.task}_{options.source}_{options.samples}_{options.repeats}_{pixels}.jsonl"
    remembered = Remembered(plan.complete().measure(), options.scores / name)
    print("| fitness | M parameters, mean ± sd | each seed | tiny network, k | scored |")
    print("|---|---|---|---|---|")
    for title, weighting in weightings(options.task).items():
        found, tiny, scored = [], [], []
        for seed in range(options.seeds):
            settings = EvolutionSettings(weighting=weighting)
            evolution = Evolution(TiedCells(SPACE), each(remembered), settings, seed)
            search.run(evolution, cycles=options.cycles)
            (best,) = evolution.top(1)
            found.append(trained(best.arch, options.task) / 1e6)
            tiny.append(best.size)
            scored.append(len(evolution.state.history))
        print(
            f"| {title} | {np.mean(found):.2f} ± {np.std(found, ddof=1):.2f} | "
            + ", ".join(f"{size:.2f}" for size in found)
            + f" | {np.mean(tiny):.2f} | {np.mean(scored):.0f} |"
        )
        sys.stdout.flush()


def trained(arch: str, task: str) -> int:
    """Return the parameters of the network to be trained."""
    return SPACE.parameters(SPACE.parse(arch), variant=task, num_classes=CLASSES[task])


def timed(plan: SearchPlan) -> None:
    """A whole search, nothing remembered: seconds, and the share that is not scoring."""
    for workers in (1, os.cpu_count() or 1):
        start, before = time.perf_counter(), spent()
        result = whole_search(plan, execution=Execution(workers=workers))
        print(
            f"{workers} workers: {len(result.state.history)} scored in "
            f"{time.perf_counter() - start:.1f} s ({spent() - before:.1f} s in this process), "
            f"{100 * (1 - result.ending.scoring / result.ending.seconds):.2f} % beside scoring"
        )


if __name__ == "__main__":
    main()
