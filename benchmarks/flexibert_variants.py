"""SWAP variants on FlexiBERT: chosen on one half of the encoders, judged on the other.

    python benchmarks/flexibert_variants.py score OUT.jsonl   # resumable
    python benchmarks/flexibert_variants.py report OUT.jsonl

Each network is run once over 32 documents of 32 tokens and its patterns are counted at several
places. The report sets each variant beside V, the number of values that it records, which needs no
network at all: at 32 documents nearly every value has a pattern of its own.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from naslib_swap.evaluation.markdown import markdown_table
from naslib_swap.evaluation.statistics import partial_spearman, spearman
from naslib_swap.flexibert import batches
from naslib_swap.flexibert.benchmark import load_benchmark
from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.encoder import Encoder, attention_only
from naslib_swap.flexibert.modelling import FlexiBertModel
from naslib_swap.initialisation import StandardNormal
from naslib_swap.patterns import PatternCounter

SAMPLES = LENGTH = 32
# name: fidelity, mixing operations, weights
NETWORKS = {
    "paper": ("paper", "stated", "small"),
    "paper, N(0,1) weights": ("paper", "stated", "standard"),
    "trained": ("trained", "stated", "small"),
    "trained, second draw": ("trained", "stated", "small"),
    "trained, attention only": ("trained", "attention", "small"),
}


def _build(encoder: Encoder, network: str, number: int) -> FlexiBertModel:
    fidelity, operations, weights = NETWORKS[network]
    used = attention_only(encoder) if operations == "attention" else encoder
    seed = 1000 * number + (1 if network.endswith("second draw") else 0)
    torch.manual_seed(seed)
    net = FlexiBertModel(FlexiBertConfig.from_encoder(used, fidelity))
    if weights == "standard":
        StandardNormal(net, seed).draw()
    return net.train()


@contextmanager
def _hooked(net: FlexiBertModel, take: Callable[[str, Tensor], None]) -> Iterator[None]:
    handles = []

    def output(module: nn.Module, place: str) -> None:
        handles.append(module.register_forward_hook(lambda m, a, out: take(place, out)))

    for layer in net.layers:
        output(layer.feed_forward.activation, "GELU")
        output(layer.mixing, "mixing")
        output(layer.feed_forward_output, "layer")
        for block in (layer.mixing_output, layer.feed_forward_output):
            if block is not None:
                output(block.norm, "LayerNorm")
                handles.append(
                    block.norm.register_forward_pre_hook(lambda m, a: take("residual", a[0]))
                )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def counts(net: FlexiBertModel, batch: batches.TextBatch) -> dict[str, tuple[int, int]]:
    """Return (distinct patterns, values) at each place."""
    counters: dict[str, PatternCounter] = {}

    def add(place: str, value: Tensor) -> None:
        counter = counters.setdefault(place, PatternCounter(SAMPLES))
        counter.add(value, signed=True)

    def take(place: str, value: Tensor) -> None:
        add(place, value)
        if place in ("GELU", "layer"):
            add(f"{place}, about its mean", value - value.mean(0, keepdim=True))

    with torch.no_grad(), _hooked(net, take):
        net(**batch.inputs())
    return {place: (counter.count(), counter.values) for place, counter in counters.items()}


def score(path: str) -> None:
    torch.set_num_threads(1)
    batch = batches.load(samples=SAMPLES, length=LENGTH)
    with open(path, "a+", encoding="utf-8") as store:
        store.seek(0)
        done = {(r["network"], r["id"]) for r in map(json.loads, store)}
        for network, entry in itertools.product(NETWORKS, load_benchmark()):
            if (network, entry.id) in done:
                continue
            found = counts(_build(entry.encoder, network, entry.id), batch)
            for p, (n, v) in found.items():
                record = {"network": network, "id": entry.id, "place": p, "psi": n, "values": v}
                store.write(json.dumps(record) + "\n")
            store.flush()


def _halves(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    order = np.random.default_rng(0).permutation(500)
    chosen = frame["id"].isin(order[:250])
    return frame[chosen], frame[~chosen]


def _strata(frame: pd.DataFrame, column: str) -> float:
    inside = [
        spearman(part[column].to_numpy(float), part["glue"].to_numpy(float))
        for _, part in frame.groupby(["depth", "hidden"])
    ]
    return float(np.nanmean(inside)) if np.isfinite(inside).any() else float("nan")


def report(path: str) -> None:
    frame = pd.read_json(path, lines=True)
    entries = {entry.id: entry for entry in load_benchmark()}
    frame["glue"] = [entries[i].scores["glue"] for i in frame["id"]]
    frame["depth"] = [len(entries[i].encoder.layers) for i in frame["id"]]
    frame["hidden"] = [entries[i].encoder.hidden_size for i in frame["id"]]
    frame["share"] = frame["psi"] / frame["values"]
    both = frame[frame["network"].str.startswith("trained")].copy()
    draws = both[both["network"] != "trained, attention only"]
    mean = draws.groupby(["id", "place", "glue", "depth", "hidden"], as_index=False)[
        ["psi", "values", "share"]
    ].mean()
    frame = pd.concat([frame, mean.assign(network="trained, mean of two draws")])
    rows: list[dict[str, Any]] = []
    for (network, place), group in frame.groupby(["network", "place"], sort=False):
        row: dict[str, Any] = {"network": network, "place": place, "n": len(group)}
        for half, part in zip("AB", _halves(group)):
            x, v, y = (part[c].to_numpy(float) for c in ("psi", "values", "glue"))
            row[half] = spearman(x, y)
            row[f"V {half}"] = spearman(v, y)
            row[f"given V {half}"] = partial_spearman(x, y, v)
            row[f"strata {half}"] = _strata(part, "psi")
            row[f"V strata {half}"] = _strata(part, "values")
            row[f"share strata {half}"] = _strata(part, "share")
        rows.append(row)
    table = pd.DataFrame(rows).sort_values("A", ascending=False)
    for column in table.select_dtypes(float):
        table[column] = ["" if np.isnan(c) else f"{c:.2f}" for c in table[column]]
    print(markdown_table(table))


if __name__ == "__main__":
    {"score": score, "report": report}[sys.argv[1]](str(Path(sys.argv[2])))
