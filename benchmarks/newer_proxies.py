"""NEAR, VKDNW, NSC and MeCo on NAS-Bench-201: correlations, seconds, agreement of seeds.

    python benchmarks/newer_proxies.py --table FILE --images FILE [--archs 150]

The table is a CSV with columns `arch` and `cifar10:val_accuracy`; the images are CIFAR-10's. One
thread, 16 images. Agreement of seeds is on the first 40 architectures and natural images.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from typing import Any

import pandas as pd
import torch
from torch import nn

from naslib_swap import inputs, spaces
from naslib_swap.inputs import Minibatch
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring.network import score_network
from naslib_swap.scoring.record import Score

SPACE = spaces.get("nasbench201")
ACCURACY = "cifar10:val_accuracy"
PROXIES = ("near", "vkdnw", "vkdnw_entropy", "nsc", "meco", "nwot", "params", "flops", "swap")
DRAWS = 16  # of NEAR's weights, in groups of 1, 2, 4 and 8


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", required=True)
    parser.add_argument("--images", required=True)
    parser.add_argument("--archs", type=int, default=150)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = pd.read_csv(options.table).sample(options.archs, random_state=0)
    archs, accuracy = list(table["arch"]), table[ACCURACY].reset_index(drop=True)
    images = inputs.load("cifar10", samples=16, path=options.images)
    print(qualities(archs, accuracy, images).round(3).to_string(), "\n")
    print(agreement_of_near(archs[:40]).round(3).to_string(), "\n")
    print(agreement_of_meco(archs[:40], images).round(3).to_string())


def qualities(archs: list[str], accuracy: pd.Series, images: Minibatch) -> pd.DataFrame:
    """Spearman with accuracy, and the median of seconds over SWAP's, by proxy."""
    scores = [scored(built(arch, 0), images, 0, PROXIES) for arch in archs]
    rows = {}
    for name in PROXIES:
        values = pd.Series([score[name].value for score in scores], dtype=float)
        times = pd.Series([score[name].seconds / score["swap"].seconds for score in scores])
        rho = values.corr(accuracy, method="spearman")
        rows[name] = {"n": values.count(), "Spearman": rho, "seconds over SWAP's": times.median()}
    return pd.DataFrame(rows).T


def agreement_of_near(archs: list[str]) -> pd.DataFrame:
    """Spearman between means over disjoint groups of draws."""
    images, nets = inputs.load("natural", samples=16), [built(arch, 0) for arch in archs]
    draws = pd.DataFrame(
        [
            [scored(net, images, seed, ["near"])["near"].value for seed in range(DRAWS)]
            for net in nets
        ]
    )
    rows = {}
    for size in (1, 2, 4, 8):
        groups = [draws.iloc[:, i : i + size].mean(axis=1) for i in range(0, DRAWS, size)]
        rows[size] = agreement(groups)
    return pd.DataFrame(rows).T.rename_axis("near_repeats")


def agreement_of_meco(archs: list[str], images: Minibatch) -> pd.DataFrame:
    """Spearman between three seeds of weights and noise."""
    rows = {}
    for draws in (1, 5):
        seeds = []
        for seed in range(3):
            found = [
                scored(built(a, seed), images, seed, ["meco"], meco_draws=draws) for a in archs
            ]
            seeds.append(pd.Series([score["meco"].value for score in found]))
        rows[draws] = agreement(seeds)
    return pd.DataFrame(rows).T.rename_axis("meco_draws")


def built(arch: str, seed: int) -> nn.Module:
    """A network with weights of that seed."""
    torch.manual_seed(seed)
    return SPACE.build(SPACE.parse(arch))


def scored(
    net: nn.Module, images: Minibatch, seed: int, names: Any, **settings: Any
) -> dict[str, Score]:
    """Score one network."""
    return score_network(Probe(net, images, seed=seed, num_classes=10, settings=settings), names)


def agreement(runs: list[pd.Series]) -> dict[str, float]:
    """Mean and least Spearman of all pairs."""
    pairs = [a.corr(b, method="spearman") for a, b in combinations(runs, 2)]
    return {"mean": sum(pairs) / len(pairs), "least": min(pairs)}


if __name__ == "__main__":
    main()
