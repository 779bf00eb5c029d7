"""Models of timm against their ImageNet accuracies: SWAP, V, size, and sums of their ranks.

    python benchmarks/model_zoo.py results-imagenet.csv --out zoo > zoo.md

The accuracies are read from ``results/results-imagenet.csv`` of huggingface/pytorch-image-models.
Of each architecture the best weights count that were trained on ImageNet-1k alone, as far as their
names say so. Architectures are drawn at random among those below ``--most-params`` million
parameters. Run again, it scores only what is missing in ``--out``.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from naslib_swap import compare_models
from naslib_swap.evaluation.statistics import (
    bootstrap,
    partial_spearman,
    percentiles,
    spearman,
    within_spearman,
)

MORE_DATA = (
    "in21k", "in22k", "in12k", "ssl", "swsl", "wsl", "ig1b", "jft", "openai", "laion", "dist",
    "clip", "mae", "dino", "ns_", "webli", "merged", "lvd", "goog", "sbb",
)  # fmt: skip
"""Parts of names that tell of other data, teachers or training without labels."""

COLUMNS = {
    "SWAP": lambda row: row["score"],
    "V": lambda row: row["values"],
    "SWAP/V": lambda row: row["score_per_value"],
    "#params": lambda row: row["parameters"],
    "MACs": lambda row: row["macs"],
    "depth": lambda row: row["depth"],
}
SPLITS = 200


def accuracies(file: Path, most_params: float) -> dict[str, float]:
    """Return top-1 by architecture: the best of its weights from ImageNet-1k alone."""
    best: dict[str, float] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            arch, _, tag = row["model"].partition(".")
            size = float(row["param_count"].replace(",", ""))
            if size <= most_params and not any(part in tag for part in MORE_DATA):
                best[arch] = max(best.get(arch, 0.0), float(row["top1"]))
    return best


def scored(args: argparse.Namespace, names: list[str]) -> list[dict]:
    """Score what is missing, and return all records of these names."""
    store = args.out / f"zoo-{args.pixels}-{args.samples}-{args.seed}.jsonl"
    store.parent.mkdir(parents=True, exist_ok=True)
    known = {}
    if store.is_file():
        known = {row["model"]: row for row in map(json.loads, store.read_text().splitlines())}
    with store.open("a", encoding="utf-8") as lines:
        for name in names:
            model = f"timm:{name}"
            if model not in known:
                found = compare_models(
                    [model],
                    input_shape=f"3,{args.pixels},{args.pixels}",
                    samples=args.samples,
                    seed=args.seed,
                )
                known[model] = found.records[0]
                lines.write(json.dumps(known[model]) + "\n")
                lines.flush()
    return [known[f"timm:{name}"] for name in names]


def table(rows: list[dict], top1: np.ndarray) -> None:
    columns = values_of(rows)
    families = np.unique([row["family"] for row in rows], return_inverse=True)[1].astype(float)
    print("| | Spearman | 95 % interval | given V | given #params | within families |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, x in columns.items():
        known = np.isfinite(x)
        low, high = percentiles(bootstrap(x, top1).spearman)
        given = [
            partial_spearman(x[known], top1[known], columns[other][known])
            for other in ("V", "#params")
        ]
        inside = within_spearman(x[known], top1[known], families[known])
        said = [f"{value:.2f}" if np.isfinite(value) else "" for value in (*given, inside)]
        print(
            f"| {name} | {spearman(x[known], top1[known]):.2f} | {low:.2f} to {high:.2f} | "
            f"{' | '.join(said)} |"
        )


def values_of(rows: list[dict]) -> dict[str, np.ndarray]:
    return {
        name: np.array([np.nan if read(row) is None else read(row) for row in rows], dtype=float)
        for name, read in COLUMNS.items()
    }


def combinations(rows: list[dict], top1: np.ndarray) -> None:
    """Judge sums of ranks: chosen on one half of the models, judged on the other."""
    columns = {name: np.nan_to_num(x, nan=np.nanmedian(x)) for name, x in values_of(rows).items()}
    sets = [
        names
        for size in range(1, len(columns) + 1)
        for names in itertools.combinations(columns, size)
    ]

    def sums(chosen: np.ndarray) -> dict[tuple[str, ...], np.ndarray]:
        ranks = {name: rankdata(x[chosen]) for name, x in columns.items()}
        return {names: sum(ranks[name] for name in names) for names in sets}

    everyone = np.arange(len(top1))
    on_all = {names: spearman(x, top1) for names, x in sums(everyone).items()}
    rng = np.random.default_rng(0)
    taken, held, size = Counter(), [], []
    for _ in range(SPLITS):
        shuffled = rng.permutation(everyone)
        one, other = np.split(shuffled, [len(shuffled) // 2])
        here = {names: spearman(x, top1[one]) for names, x in sums(one).items()}
        best = max(here, key=here.get)
        taken[best] += 1
        there = sums(other)
        held.append(spearman(there[best], top1[other]))
        size.append(spearman(there[("#params",)], top1[other]))
    print("\nBest sums of ranks on all models (chosen with their accuracies):")
    for names in sorted(on_all, key=on_all.get, reverse=True)[:5]:
        low, high = percentiles(bootstrap(sums(everyone)[names], top1).spearman)
        print(f"- {' + '.join(names)}: {on_all[names]:.2f} ({low:.2f} to {high:.2f})")
    low, high = np.quantile(held, [0.025, 0.975])
    print(
        f"\nChosen on one half, judged on the other ({SPLITS} splits): {np.mean(held):.2f} "
        f"({low:.2f} to {high:.2f}); #params there {np.mean(size):.2f}. Chosen most often: "
        + "; ".join(f"{' + '.join(names)} ({n})" for names, n in taken.most_common(3))
        + "."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("accuracies", type=Path, help="results-imagenet.csv")
    parser.add_argument("--out", type=Path, default=Path("zoo"))
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--most-params", type=float, default=30.0, help="millions")
    parser.add_argument("--pixels", type=int, default=128)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    import timm

    top1 = accuracies(args.accuracies, args.most_params)
    known = sorted(set(top1) & set(timm.list_models()))
    drawn = np.random.default_rng(0).permutation(known)[: args.models].tolist()
    rows = scored(args, drawn)
    pairs = [(row, top1[name]) for row, name in zip(rows, drawn) if "error" not in row]
    good, truth = [row for row, _ in pairs], np.array([accuracy for _, accuracy in pairs])
    full = sum(row["near_bound"] for row in good)
    print(
        f"{len(good)} of {len(drawn)} models (out of {len(known)}), {args.pixels} pixels, "
        f"{args.samples} natural crops, seed {args.seed}; {full} near their bound; "
        f"{len({row['family'] for row in good})} families; top-1 {truth.min():.1f} to "
        f"{truth.max():.1f}.\n"
    )
    table(good, truth)
    combinations(good, truth)
    for row, name in zip(rows, drawn):
        if "error" in row:
            print(f"\n- {name}: {row['error']}")


if __name__ == "__main__":
    main()
