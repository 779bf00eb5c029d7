"""Vision transformers: our FLOPs beside OoD-ViT-NAS's, and the cost of SWAP-Score.

    python benchmarks/vision_transformers.py

The first part counts on the meta device, in minutes; the second takes processor time in one thread,
against a bare forward pass in train mode.
"""

from __future__ import annotations

import time

import torch
from scipy.stats import spearmanr

from naslib_swap import ground_truth, inputs, spaces, swap_score
from naslib_swap.ground_truth.ood_vit_nas import FILES
from naslib_swap.predictors.passes.multiply_accumulates import MultiplyAccumulates

SAMPLES, PIXELS = 16, 224


def millions(space: spaces.SearchSpace, arch: str) -> float:
    with torch.device("meta"), torch.no_grad(), MultiplyAccumulates() as seen:
        net = space.build(space.parse(arch), num_classes=1000)
        net(torch.empty(1, 3, PIXELS, PIXELS))
    return seen.count / 1e6


def flops(name: str) -> None:
    stored = ground_truth.load("ood-vit-nas", space=name, task="imagenet").proxies["flops"]
    ours = [millions(spaces.get(name), arch) for arch in stored]
    ratios = [ours_ / theirs for ours_, theirs in zip(ours, stored.values())]
    agreement = spearmanr(ours, list(stored.values())).statistic
    first = next(iter(stored.values()))
    print(f"{name}: ours are {min(ratios):.2f} to {max(ratios):.2f} of theirs on {len(ours)}")
    print(f"  Spearman {agreement:.4f}; the first record has {ours[0]:.1f} and {first:.1f} million")


def cost(name: str) -> None:
    space = spaces.get(name)
    net = space.build(space.parse(space.example), num_classes=1000)
    batch = inputs.load("natural", samples=SAMPLES, shape=(3, PIXELS, PIXELS))
    images = torch.as_tensor(batch.images)
    ratios = []
    for _ in range(4):  # the first network of a class is looked at more closely
        start = time.process_time()
        with torch.no_grad():
            net(images)
        middle = time.process_time()
        swap_score(net, images)
        ratios.append((time.process_time() - middle) / (middle - start))
    print(
        f"{name}: SWAP takes {', '.join(f'{ratio:.2f}' for ratio in ratios)} times a forward pass"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in ("autoformer_tiny", "autoformer_small", "vitbench_autoformer", "pit"):
        cost(name)
    for name in FILES:
        flops(name)
