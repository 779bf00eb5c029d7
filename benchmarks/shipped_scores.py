"""Make the scores that come with the package, naslib_swap/tables/SPACE.npz.

    python benchmarks/shipped_scores.py --runs runs --workers 2
    python benchmarks/shipped_scores.py --runs runs --pack-only

Scores SWAP (and V) of all 15,625 architectures of NAS-Bench-201, and of the architectures of the
Suite-Zero tables of NAS-Bench-101, 201, 301 and TransNAS-Bench-101, by `precompute`: resumable,
each network once, one task for all that share its scores. Then packs what the folder of runs holds.
Needs the tables (`naslib-swap data fetch`) and, for the runs on CIFAR-10's images, CIFAR-10.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from naslib_swap import ground_truth, spaces
from naslib_swap.evaluation.plan import PrecomputePlan
from naslib_swap.evaluation.precompute import precompute
from naslib_swap.scoring import Architecture, Execution, Record, shipped
from naslib_swap.scoring.conditions import regularisation_of
from naslib_swap.scoring.store import LineStore
from naslib_swap.spaces.notation import read_literal

# Space, source of the architectures, images; the cheapest first.
RUNS = (
    ("nasbench101", "suite-zero", "natural"),
    ("nasbench301", "suite-zero", "natural"),
    ("nasbench201", "nasbench201", "natural"),
    ("transbench101_macro", "suite-zero", "natural"),
    ("transbench101_micro", "suite-zero", "natural"),
    ("nasbench101", "suite-zero", "cifar10"),
    ("nasbench301", "suite-zero", "cifar10"),
    ("nasbench201", "nasbench201", "cifar10"),
)
SPACES = tuple(dict.fromkeys(space for space, _, _ in RUNS))
TABLES = Path(__file__).parents[1] / "naslib_swap" / "tables"


def largest(space: str, group: tuple[str, ...], truth: str) -> str:
    """Return the task of a group of which most architectures are known: it has all the others'."""
    return max(
        group, key=lambda task: len(ground_truth.load(truth, space=space, task=task).accuracy)
    )


def score(runs: Path, workers: int | None) -> None:
    """Score what the folder of runs lacks."""
    for space, truth, images in RUNS:
        for group in spaces.get(space).alike():
            if images != "natural" and images not in group:
                continue  # CIFAR-10's images for CIFAR-10 alone
            task = largest(space, group, truth)
            plan = PrecomputePlan(
                space=space, task=task, truth=truth, inputs=images, proxies=("swap", "values")
            )
            start = time.perf_counter()
            execution = Execution(workers=workers, rescore=True)
            out = runs / f"{space}_{task}_{images}.json"
            precompute(plan, out, execution=execution, note=print)
            print(f"{space}/{task}, {images}: {time.perf_counter() - start:.0f} s", flush=True)


def pack(runs: Path, space: str) -> shipped.Table:
    """Return what the folder of runs holds of a space."""
    found = spaces.get(space)
    places: dict[str, int] = {}
    keys: dict[str, int] = {}
    truths = {truth for name, truth, _ in RUNS if name == space}
    known = [
        ground_truth.load(truth, space=space, task=task).accuracy
        for truth in sorted(truths)
        for task in found.tasks
    ]
    for arch in sorted({arch for accuracy in known for arch in accuracy}):
        parsed = found.parse(arch)
        place = places.setdefault(found.encode(found.canonical(parsed)), len(places))
        keys[str(read_literal(found.naslib_key(parsed)))] = place
    sizes, rules = {}, {}
    for task in found.tasks:
        of = (Architecture(space, task, name).parameters() for name in places)
        sizes[task] = np.fromiter(of, np.uint32, len(places))
        rule = regularisation_of(space, task)
        rules[task] = (rule.mu, rule.sigma)
    groups = [
        {task: found.tasks[task].variant or found.variants[0] for task in group}
        for group in found.alike()
    ]
    columns = shipped.columns_of(records(runs, space), places, groups)
    return shipped.Table(space, places, keys, sizes, rules, columns)


def records(runs: Path, space: str) -> Iterator[Record]:
    """Yield what the folder of runs holds of a space."""
    for path in sorted(runs.glob("*.scores.jsonl")):
        yield from (record for record in LineStore(path).records() if record.key.space == space)


def main() -> None:
    """Score and pack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True, help="Folder of the scores.")
    parser.add_argument("--workers", type=int, help="Processes that score.")
    parser.add_argument("--pack-only", action="store_true", help="Pack what is there.")
    given = parser.parse_args()
    if not given.pack_only:
        score(given.runs, given.workers)
    for space in SPACES:
        table = pack(given.runs, space)
        if not table.columns:
            continue
        path = TABLES / f"{space}.npz"
        shipped.write(path, table)
        print(f"{path.name}: {path.stat().st_size:,} bytes, {len(table.places)} networks")
        for column in table.columns:
            scored = int((column.seen[:, 0] > 0).sum())
            print(f"  {', '.join(column.variants)}: {scored} networks, {column.recipe.source}")


if __name__ == "__main__":
    main()
