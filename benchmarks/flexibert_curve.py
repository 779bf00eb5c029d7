"""SWAP on FlexiBERT by batch size and length: correlation with GLUE, and saturation.

    python benchmarks/flexibert_curve.py score OUT.jsonl [--encoders 100]   # resumable
    python benchmarks/flexibert_curve.py report OUT.jsonl [--picture PNG]

Each encoder, fidelity and length is run once, over the largest batch; smaller batches are its first
documents. Each batch size is thus seen with the same weights, tokens and dropout.
"""

from __future__ import annotations

import argparse
import itertools
import json
from typing import Any

import joblib
import matplotlib
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from naslib_swap.activations import Kind, recording
from naslib_swap.evaluation.markdown import markdown_table
from naslib_swap.evaluation.statistics import spearman
from naslib_swap.flexibert import batches
from naslib_swap.flexibert.benchmark import BenchmarkEntry, load_benchmark
from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.modelling import FlexiBertModel
from naslib_swap.patterns import PatternCounter

SIZES = (4, 8, 16, 32, 64, 128)
# Documents that are run at each length: four times the tokens, a quarter of the documents.
RUNS = {128: 128, 512: 32}
FIDELITIES = ("paper", "trained")


def count(entry: BenchmarkEntry, fidelity: str, batch: batches.TextBatch) -> list[dict[str, Any]]:
    """One record per batch size: distinct patterns, values, bound."""
    torch.set_num_threads(1)
    samples, length = batch.input_ids.shape
    torch.manual_seed(entry.id)
    net = FlexiBertModel(FlexiBertConfig.from_encoder(entry.encoder, fidelity)).train()
    counters = {size: PatternCounter(size) for size in SIZES if size <= samples}

    def take(activation: Tensor, kind: Kind) -> bool:
        for size, counter in counters.items():
            counter.add(activation[:size], signed=kind.signed)
        return True

    with torch.no_grad(), recording(net, take):
        net(**batch.inputs())
    return [
        {
            "id": entry.id,
            "fidelity": fidelity,
            "length": length,
            "samples": size,
            "psi": counter.count(),
            "values": counter.values,
            "bound": counter.bound,
        }
        for size, counter in counters.items()
    ]


def score(path: str, encoders: int, workers: int) -> None:
    entries = load_benchmark()
    chosen = np.random.default_rng(0).permutation(len(entries))[:encoders]
    whole = batches.load(samples=max(RUNS.values()), length=max(RUNS))
    cut = {length: whole.cut(samples, length) for length, samples in RUNS.items()}
    parallel = joblib.Parallel(workers, return_as="generator")
    with open(path, "a+", encoding="utf-8") as store, parallel:
        store.seek(0)
        done = {(r["id"], r["fidelity"], r["length"]) for r in map(json.loads, store)}
        asked = itertools.product(chosen, FIDELITIES, RUNS)
        left = [(entries[i], f, t) for i, f, t in asked if (entries[i].id, f, t) not in done]
        for records in parallel(joblib.delayed(count)(e, f, cut[t]) for e, f, t in left):
            store.writelines(json.dumps(record) + "\n" for record in records)
            store.flush()


def report(path: str, picture: str | None) -> None:
    frame = pd.read_json(path, lines=True)
    entries = {entry.id: entry for entry in load_benchmark()}
    frame["glue"] = [entries[i].scores["glue"] for i in frame["id"]]
    frame["depth"] = [len(entries[i].encoder.layers) for i in frame["id"]]
    rows = []
    for (fidelity, length, size), part in frame.groupby(["fidelity", "length", "samples"]):
        psi, glue = part["psi"].to_numpy(float), part["glue"].to_numpy(float)
        inside = {
            f"depth {depth}": spearman(group["psi"].to_numpy(float), group["glue"].to_numpy(float))
            for depth, group in part.groupby("depth")
            if len(group) > 10
        }
        rows.append(
            {
                "fidelity": fidelity,
                "tokens": length,
                "documents": size,
                "n": len(part),
                "Spearman": spearman(psi, glue),
                "of V": spearman(part["values"].to_numpy(float), glue),
                **inside,
                "psi / V": float((part["psi"] / part["values"]).mean()),
                "psi / bound": float((part["psi"] / part["bound"]).mean()),
            }
        )
    table = pd.DataFrame(rows)
    for column in table.select_dtypes(float):
        table[column] = [f"{c:.2f}" for c in table[column]]
    print(markdown_table(table))
    if picture:
        draw(table, picture)


def draw(table: pd.DataFrame, picture: str) -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for (fidelity, length), part in table.groupby(["fidelity", "tokens"]):
        style = "-" if length == min(RUNS) else "--"
        colour = "C0" if fidelity == "paper" else "C1"
        label = f"{fidelity}, {length} tokens"
        axes.plot(part["documents"], part["Spearman"], style, color=colour, marker="o", label=label)
    axes.set_xscale("log", base=2)
    axes.set_xticks(SIZES, [str(size) for size in SIZES])
    axes.set(xlabel="documents in the batch", ylabel="Spearman correlation with GLUE")
    axes.legend(frameon=False)
    figure.savefig(picture, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("score", "report"))
    parser.add_argument("path")
    parser.add_argument("--encoders", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--picture")
    options = parser.parse_args()
    if options.what == "score":
        score(options.path, options.encoders, options.workers)
    else:
        report(options.path, options.picture)


if __name__ == "__main__":
    main()
