"""What the GLUE scores of the 500 encoders depend on, without building a network.

    python benchmarks/flexibert_ground_truth.py

Prints the correlations of trivial choices, which choices are visible within a depth and a hidden
size (permutation tests of linear models), how far apart encoders are that differ in their
operations alone or not at all, and
what the released "Activation Distance" counts.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from naslib_swap.evaluation.statistics import spearman
from naslib_swap.flexibert.benchmark import BenchmarkEntry, load_benchmark, load_released
from naslib_swap.flexibert.encoder import Encoder, Layer, attention_only

_PERMUTATIONS = 2000
FEATURES: dict[str, Callable[[Layer], Any]] = {
    "operation and parameter": lambda layer: layer.parameter,
    "operation": lambda layer: layer.operation,
    "feed-forward layers": lambda layer: layer.feed_forward_layers,
    "heads": lambda layer: layer.heads,
}


def values_recorded(encoder: Encoder) -> dict[str, float]:
    """V, up to the number of tokens, at each place and fidelity; and the trivial choices."""
    layers, width = encoder.layers, encoder.hidden_size
    further = sum((x.feed_forward_layers - 1) * x.feed_forward_dimension for x in layers)
    return {
        "layers": len(layers),
        "(layers, hidden)": len(layers) * 1000 + width,
        "activation calls (V after GELU, paper)": encoder.activation_calls,
        "V after GELU, trained": 4 * width * len(layers) + further,
        "V after each layer, trained": width * len(layers),
    }


def by_stratum(entries: Sequence[BenchmarkEntry]) -> dict[tuple[int, int], list[BenchmarkEntry]]:
    groups = defaultdict(list)
    for entry in entries:
        groups[len(entry.encoder.layers), entry.encoder.hidden_size].append(entry)
    return dict(sorted(groups.items()))


def trivial(entries: Sequence[BenchmarkEntry]) -> None:
    print("\n| number | all 500 | depth 2 | depth 4 | 2x128 | 2x256 | 4x128 | 4x256 |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    strata = by_stratum(entries)
    depths = [[e for e in entries if len(e.encoder.layers) == depth] for depth in (2, 4)]
    for name in values_recorded(entries[0].encoder):
        cells = []
        for group in (entries, *depths, *strata.values()):
            x = np.array([values_recorded(e.encoder)[name] for e in group], dtype=float)
            rho = spearman(x, np.array([e.scores["glue"] for e in group]))
            cells.append("" if np.isnan(rho) else f"{rho:.2f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def _design(group: Sequence[BenchmarkEntry], of: Callable[[Layer], Any]) -> np.ndarray[Any, Any]:
    """One column per layer and level, the first level left out, centred."""
    columns = []
    for position in range(len(group[0].encoder.layers)):
        chosen = [of(e.encoder.layers[position]) for e in group]
        for level in sorted(set(chosen), key=str)[1:]:
            columns.append([float(c == level) for c in chosen])
    design = np.array(columns).T
    return design - design.mean(axis=0)


def visible(entries: Sequence[BenchmarkEntry]) -> None:
    rng = np.random.default_rng(0)
    print("\n| choice | " + " | ".join(f"{d}x{h}" for d, h in by_stratum(entries)) + " |")
    print("|---|" + "---:|" * 4)
    for name, of in FEATURES.items():
        cells = []
        for group in by_stratum(entries).values():
            y = np.array([e.scores["glue"] for e in group])
            basis = np.linalg.qr(_design(group, of))[0]
            drawn = np.array([rng.permutation(y) for _ in range(_PERMUTATIONS)]) - y.mean()
            total = ((y - y.mean()) ** 2).sum()
            found = ((basis.T @ (y - y.mean())) ** 2).sum() / total
            chance = ((drawn @ basis) ** 2).sum(axis=1) / total
            p = (1 + (chance >= found).sum()) / (1 + _PERMUTATIONS)
            cells.append(f"{found:.2f} (p = {p:.4f})")
        print(f"| {name} | " + " | ".join(cells) + " |")


def repeated(entries: Sequence[BenchmarkEntry]) -> None:
    groups = defaultdict(list)
    for entry in entries:
        groups[entry.encoder].append(entry.scores["glue"])
    pairs = [scores for scores in groups.values() if len(scores) == 2]
    noise = np.sqrt(np.mean([(a - b) ** 2 / 2 for a, b in pairs]))
    print(f"\n{len(pairs)} encoders are there twice; standard deviation of a score {noise:.2f}")
    for (depth, hidden), group in by_stratum(entries).items():
        glue = np.array([e.scores["glue"] for e in group])
        print(
            f"{depth} layers x {hidden}: {len(group)}, mean {glue.mean():.1f}, sd {glue.std():.2f}"
        )


def pairs_apart(entries: Sequence[BenchmarkEntry]) -> None:
    """How far apart pairs are that share everything but their operations."""

    def rest(entry: BenchmarkEntry) -> tuple[Any, ...]:
        layers = attention_only(entry.encoder).layers
        # one feed-forward layer is four times the hidden size wide, whatever the dimension says
        return (
            entry.encoder.hidden_size,
            *((x.heads, x.feed_forward_layers, _further(x)) for x in layers),
        )

    print("\n| pairs of encoders | depth 2 | depth 4 |\n|---|---:|---:|")
    differences: dict[str, list[list[float]]] = defaultdict(lambda: [[], []])
    for a, b in itertools.combinations(entries, 2):
        same_stratum = (len(a.encoder.layers), a.encoder.hidden_size) == (
            len(b.encoder.layers),
            b.encoder.hidden_size,
        )
        if not same_stratum:
            continue
        if a.encoder == b.encoder:
            kind = "the same encoder"
        elif rest(a) == rest(b):
            kind = "other operations, the same heads and feed-forward layers"
        else:
            kind = "other heads or feed-forward layers"
        column = 0 if len(a.encoder.layers) == 2 else 1
        differences[kind][column].append(abs(a.scores["glue"] - b.scores["glue"]))
    for kind in sorted(differences, key=lambda kind: len(differences[kind][0])):
        cells = [f"{np.median(d):.2f} (n = {len(d)})" if d else "" for d in differences[kind]]
        print(f"| {kind} | " + " | ".join(cells) + " |")


def _further(layer: Layer) -> int:
    return layer.feed_forward_dimension if layer.feed_forward_layers > 1 else 0


def released_hooks(entries: Sequence[BenchmarkEntry]) -> None:
    released = load_released()
    outputs = released["Activation Distance"] / released["Activation Distance Normalized"]
    calls = np.array([e.encoder.activation_calls for e in entries])
    depth = np.array([len(e.encoder.layers) for e in entries])
    hooks = np.round(outputs.to_numpy() / calls)
    follows = np.diff(hooks) == depth[1:]
    print(
        f"\nreleased Activation Distance: hooks that fired for encoder 0: {hooks[0]:.0f}, for "
        f"encoder 499: {hooks[-1]:.0f}; they grow by the encoder's depth in {follows.sum()} of "
        f"{len(follows)} steps"
    )


if __name__ == "__main__":
    found = load_benchmark()
    trivial(found)
    visible(found)
    pairs_apart(found)
    repeated(found)
    released_hooks(found)
