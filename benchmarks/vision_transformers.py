"""The figures of docs/vit.md that `table` and `search` do not give.

    python benchmarks/vision_transformers.py flops      # ours beside OoD-ViT-NAS's, in minutes
    python benchmarks/vision_transformers.py cost       # of SWAP, in time and memory
    python benchmarks/vision_transformers.py beyond autoformer_small --archs 60 --resolution 64 \
        --proxies swap,nwot,l_swag,az_nas,near,dss,nsc
    python benchmarks/vision_transformers.py nearest autoformer_small 448-7h4-...

`cost` is in one thread, against a bare forward pass in train mode; extra memory is the peak
resident size of a process that scores, less that of one that runs the network twice: what the
first network of a class takes, which is looked at more closely, and what others take.

`beyond` scores as `table` does, resumably under --out, and says what a proxy knows where others are
held fixed: the mean correlation among networks of equal depth and width (of the last layer), also
with #params held fixed there, and partial correlations of ranks among all, which straight lines of
depth and width leave. Intervals are 95 % of 300 resamples, drawn inside the groups for the former.

`nearest` finds the stored networks that differ least from one: a layer is its width, 64 features
for each head, and the width of its feed-forward network; the difference is the sum over layers of
how much these differ, as a share of the network's own sum. What only one has counts whole.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata, spearmanr
from torch import Tensor, nn

from naslib_swap import Plan, compare, ground_truth, inputs, spaces, swap_score
from naslib_swap.evaluation.markdown import markdown_table
from naslib_swap.evaluation.statistics import percentiles
from naslib_swap.ground_truth.ood_vit_nas import FILES
from naslib_swap.options import count_or_all
from naslib_swap.predictors.passes.multiply_accumulates import MultiplyAccumulates
from naslib_swap.scoring import Execution
from naslib_swap.spaces.autoformer import AutoFormer
from naslib_swap.spaces.vit_networks import HEAD_WIDTH

SAMPLES, PIXELS, RESAMPLES = 16, 224, 300
TIMED = ("autoformer_tiny", "autoformer_small", "vitbench_autoformer", "pit")


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


def network(name: str) -> tuple[nn.Module, Tensor]:
    space = spaces.get(name)
    net = space.build(space.parse(space.example), num_classes=1000)
    batch = inputs.load("natural", samples=SAMPLES, shape=(3, PIXELS, PIXELS))
    return net, torch.as_tensor(batch.images)


def forward(net: nn.Module, images: Tensor) -> None:
    with torch.no_grad():
        net(images)


def cost(name: str) -> None:
    net, images = network(name)
    ratios = []
    for _ in range(4):  # the first network of a class is looked at more closely
        start = time.process_time()
        forward(net, images)
        middle = time.process_time()
        swap_score(net, images)
        ratios.append((time.process_time() - middle) / (middle - start))
    base, first, later = (peak(name, what) for what in ("forward", "first", "later"))
    print(
        f"{name}: SWAP takes {', '.join(f'{ratio:.2f}' for ratio in ratios)} times a forward pass, "
        f"and {first - base:.0f} MB beside it for the first network, {later - base:.0f} after it"
    )


def peak(name: str, what: str) -> float:
    """Peak resident megabytes of a process that does only this."""
    command = [sys.executable, __file__, "use", name, what]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def use(name: str, what: str) -> None:
    net, images = network(name)
    forward(net, images)
    if what == "later":  # the closer look is done with, on images that take hardly any memory
        swap_score(net, images[..., :32, :32])
    if what == "forward":
        forward(net, images)
    else:
        swap_score(net, images)
    # Not getrusage: its maximum is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text()
    print(int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024)  # type: ignore[union-attr]


def given(x: np.ndarray, y: np.ndarray, *fixed: np.ndarray) -> float:
    """Return the partial correlation of ranks: of what lines through the fixed ones' leave."""
    ranks = np.stack([rankdata(one) for one in (x, y)], 1)
    lines = np.stack([np.ones(len(x)), *(rankdata(one) for one in fixed)], 1)
    left = ranks - lines @ np.linalg.lstsq(lines, ranks, rcond=None)[0]
    # Nothing is left of what the fixed ones determine.
    if left.std(0).min() < 1e-6 * len(x):
        return float("nan")
    return float(np.corrcoef(left.T)[0, 1])


def within(x: np.ndarray, y: np.ndarray, groups: list[np.ndarray], *fixed: np.ndarray) -> float:
    """Return the mean of `given` inside groups of 5 or more, weighted by their size."""
    large = [group for group in groups if len(group) >= 5]
    found = [
        (given(x[group], y[group], *(one[group] for one in fixed)), len(group)) for group in large
    ]
    kept = np.array([pair for pair in found if np.isfinite(pair[0])]).reshape(-1, 2)
    return float(np.average(kept[:, 0], weights=kept[:, 1])) if len(kept) else float("nan")


def interval(found: float, resampled: list[float]) -> str:
    defined = np.array([one for one in resampled if np.isfinite(one)])
    if not np.isfinite(found) or 2 * len(defined) < len(resampled):
        return ""
    low, high = percentiles(defined)
    return f"{found:.2f} ({low:.2f} to {high:.2f})"


def beyond(plan: Plan, folder: Path) -> None:
    (outcome,) = compare(plan, out=folder, execution=Execution(workers=1))
    table = outcome.scores.pivot_table(index="arch", columns="proxy", values="value")
    for name, values in plan.accuracies().proxies.items():
        table[name] = table.get(name, table.index.map(values))
    space, truth = spaces.get(plan.space), table.index.map(outcome.accuracy).to_numpy(float)
    archs = [space.parse(arch) for arch in table.index]
    depth = np.array([len(space.layers(arch)) for arch in archs])
    params = np.array([space.parameters(arch, num_classes=1000) for arch in archs])
    width = table["width"].to_numpy(float)
    held = (depth, width, params)
    alike = depth * 10_000 + width
    groups = [np.flatnonzero(alike == one) for one in np.unique(alike)]
    rng = np.random.default_rng(0)
    inside = [[rng.choice(group, len(group)) for group in groups] for _ in range(RESAMPLES)]
    anywhere = rng.integers(len(truth), size=(RESAMPLES, len(truth)))
    rows = []
    for name in table:
        score = table[name].to_numpy(float)
        if missing := int(np.isnan(score).sum()):
            print(f"{name} has no score for {missing} networks, and no row.")
            continue
        row = {"proxy": name}
        for what, fixed in {"": (), "given depth, width, params": held}.items():
            again = [given(score[i], truth[i], *(one[i] for one in fixed)) for i in anywhere]
            row[what or "Spearman"] = interval(given(score, truth, *fixed), again)
        grouped = []
        for what, fixed in {"": (), ", given params": (params,)}.items():
            again = [within(score, truth, drawn, *fixed) for drawn in inside]
            grouped.append(within(score, truth, groups, *fixed))
            row[f"within depth and width{what}"] = interval(grouped[-1], again)
        rows.append((grouped[0], row))
    rows.sort(key=lambda one: -np.nan_to_num(one[0], nan=-9))
    sizes = np.array([len(group) for group in groups])
    print(
        f"{plan.space} {plan.task}, {len(truth)} networks, {sizes[sizes >= 5].sum()} of them in "
        f"{(sizes >= 5).sum()} groups of 5 or more:\n\n"
        + markdown_table(pd.DataFrame([row for _, row in rows]))
    )


def features(space: AutoFormer, arch: str) -> np.ndarray:
    """Return [layers, 3]: the width, the heads' features and those of the feed-forward network."""
    layers = [
        (w, HEAD_WIDTH * heads, hidden) for w, heads, hidden in space.layers(space.parse(arch))
    ]
    return np.array(layers + [(0, 0, 0)] * (max(space.depths) - len(layers)))


def nearest(name: str, arch: str, count: int = 5) -> None:
    space = spaces.get(name)
    assert isinstance(space, AutoFormer)
    truth = ground_truth.load("ood-vit-nas", space=name, task="imagenet")
    own = features(space, arch)
    rows = pd.DataFrame(
        {
            "network": key,
            "difference": np.abs(features(space, key) - own).sum() / own.sum(),
            "params": truth.proxies["params"][key],
            "accuracy": accuracy,
        }
        for key, accuracy in truth.accuracy.items()
    )
    rows["rank"] = rows["accuracy"].rank(ascending=False, method="min").astype(int)
    size = space.parameters(space.parse(arch), num_classes=1000) / 1e6
    smaller = rows[rows["params"] <= size]
    print(f"{arch}: {size:.2f} million parameters, {(own[:, 0] > 0).sum()} layers")
    print(
        f"of {len(rows)} stored: best {rows['accuracy'].max()}, median {rows['accuracy'].median()}"
    )
    print(f"of {len(smaller)} not larger: best {smaller['accuracy'].max()}")
    near = rows.sort_values("difference").head(count)
    print(f"mean of the {count} nearest: {near['accuracy'].mean():.2f}\n")
    print(markdown_table(near.round({"difference": 3, "params": 2})))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ways = parser.add_subparsers(dest="way", required=True)
    ways.add_parser("flops")
    ways.add_parser("cost")
    process = ways.add_parser("use")
    process.add_argument("space")
    process.add_argument("what")
    asked = ways.add_parser("beyond")
    asked.add_argument("space")
    asked.add_argument("--task", help="default: the space's first")
    asked.add_argument("--archs", type=count_or_all, default=200, help="a number, or all")
    asked.add_argument("--resolution", type=int, default=0)
    asked.add_argument("--proxies", default="swap,nsc")
    asked.add_argument("--out", type=Path, default=Path("results/vit"))
    found = ways.add_parser("nearest")
    found.add_argument("space", choices=FILES)
    found.add_argument("arch")
    given_ = parser.parse_args()
    torch.set_num_threads(1)
    if given_.way == "use":
        use(given_.space, given_.what)
    elif given_.way == "beyond":
        task = given_.task or next(iter(spaces.get(given_.space).tasks))
        plan = Plan(
            space=given_.space,
            task=task,
            archs=given_.archs,
            resolution=given_.resolution,
            proxies=tuple(given_.proxies.split(",")),
        )
        beyond(plan, given_.out)
    elif given_.way == "nearest":
        nearest(given_.space, given_.arch)
    else:
        for name in FILES if given_.way == "flops" else TIMED:
            (flops if given_.way == "flops" else cost)(name)


if __name__ == "__main__":
    main()
