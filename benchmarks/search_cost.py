"""What a search costs beside scoring: time and memory by number of evaluations.

    python benchmarks/search_cost.py > cost.md

Architectures are real DARTS cells, their scores are made up, so all time measured is overhead:
moves, bookkeeping, history and checkpoints on disk. One real score puts it in proportion.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np

from naslib_swap import combinations, spaces
from naslib_swap.optimizers import search
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings, each
from naslib_swap.optimizers.fitness import Scored, SizeWeighting
from naslib_swap.optimizers.plan import SearchPlan
from naslib_swap.seeding import derived_seed
from naslib_swap.spaces.tied_cells import TiedCells

SPACE = TiedCells(spaces.get("darts"))
AZ_NAS = combinations.get("az_nas")
GUIDES = {
    "a proxy": EvolutionSettings(weighting=SizeWeighting("adaptive")),
    f"a combination of {len(AZ_NAS.members)}": EvolutionSettings(
        weighting=SizeWeighting("none"), combination=AZ_NAS
    ),
}


def draw(name: str, arch: Any) -> float:
    return derived_seed(0, name, SPACE.encode(arch)) / 2**63


def made_up(arch: Any) -> Scored:
    drawn = draw("swap", arch)
    return Scored(1000 * (1 + drawn), 1 + drawn)


def made_up_members(arch: Any) -> Scored:
    return Scored(None, 1.0, {member: draw(member, arch) for member in AZ_NAS.members})


def overhead(settings: EvolutionSettings, evaluations: int, *, trace: bool) -> tuple[float, float]:
    """CPU seconds, and MiB at the peak (traced separately: tracing is slow)."""
    measure = made_up if settings.combination is None else made_up_members
    evolution = Evolution(SPACE, each(measure), settings, seed=0)
    cycles = round((evaluations - 20) / 7.5)
    with tempfile.TemporaryDirectory() as folder:
        if trace:
            tracemalloc.start()
        start = time.process_time()
        search.run(evolution, cycles=cycles, folder=Path(folder), identity={})
        seconds = time.process_time() - start
        peak = tracemalloc.get_traced_memory()[1] / 2**20 if trace else 0.0
        tracemalloc.stop()
    return seconds * evaluations / len(evolution.state.history), peak


def real_score() -> float:
    """CPU seconds of one score of the default DARTS search."""
    measure = SearchPlan().complete().measure()
    rng = np.random.default_rng(0)
    archs = [SPACE.sample(rng) for _ in range(21)]
    measure(archs[0])
    start = time.process_time()
    for arch in archs[1:]:
        measure(arch)
    return (time.process_time() - start) / 20


def main() -> None:
    score = real_score()
    print(
        "| guided by | evaluations | overhead of one, ms | against a real score | "
        "peak memory, MiB |"
    )
    print("|---|---|---|---|---|")
    for guide, settings in GUIDES.items():
        for evaluations in (100, 1000, 10_000):
            seconds, _ = overhead(settings, evaluations, trace=False)
            _, peak = overhead(settings, evaluations, trace=True)
            one = seconds / evaluations
            print(
                f"| {guide} | {evaluations} | {1000 * one:.2f} | {100 * one / score:.1f} % | "
                f"{peak:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
