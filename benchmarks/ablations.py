"""The ablations of arXiv 2605.07378 on DARTS-1000: what SWAP's correlation depends on.

    python benchmarks/ablations.py batch --archs all --seeds 5 --out results/ablations
    python benchmarks/ablations.py size --archs 200
    python benchmarks/ablations.py noise

Figures 10 (`batch`: how many images), 13 (`size`: height and width of the images) and 14 (`noise`:
Gaussian noise added to them, in units of the range of pixels, clipped to it). Each table also says
how many values V the networks have, and what V alone is worth (Figures 11 and 12). The network, the
images and the re-initialisations are those of `--config darts1000`. Resumable: scores are kept
under --out.

    python benchmarks/ablations.py batch --space autoformer_small --resolution 64 --archs 100
    python benchmarks/ablations.py size --space autoformer_small --over 32 64 112 224 --archs 200

do the same on natural crops for the first task of another space.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from naslib_swap import Plan, compare, inputs, spaces
from naslib_swap.evaluation.markdown import markdown_table
from naslib_swap.evaluation.plan import plans_from_config
from naslib_swap.inputs.datasets import DATASETS
from naslib_swap.options import count_or_all
from naslib_swap.scoring import Execution

BATCHES = (8, 16, 32, 64, 128)
SIZES = (3, 4, 8, 16, 24, 32)
NOISES = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
FIGURES = ("batch", "size", "noise")
PROXIES = ("swap", "values")


def settings(
    figure: str, plan: Plan, folder: Path, over: list[int] | None = None
) -> Iterator[tuple[str, Plan]]:
    """Yield what a figure varies, with its plan."""
    if figure == "batch":
        for samples in over or BATCHES:
            yield f"{samples} images", replace(plan, samples=samples)
    elif figure == "size":
        for side in over or SIZES:
            yield f"{side} x {side} pixels", replace(plan, resolution=side)
    else:
        for noise in NOISES:
            yield f"noise {noise:g}", replace(plan, inputs_path=str(noisy(plan, noise, folder)))


def noisy(plan: Plan, noise: float, folder: Path) -> Path:
    """Write the plan's images with noise of this standard deviation added; return the file."""
    path = folder / f"noise_{noise:g}_{plan.samples}.npz"
    if not path.exists():
        batch = inputs.load(plan.inputs, samples=plan.samples, path=plan.inputs_path)
        mean, std = (np.array(s).reshape(3, 1, 1) for s in DATASETS[plan.inputs].statistics)
        pixels = batch.images.numpy() * std + mean
        pixels += noise * np.random.default_rng(0).standard_normal(pixels.shape)
        images = pixels.clip(0, 1).transpose(0, 2, 3, 1).astype(np.float32)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, images=images, labels=batch.labels.numpy())
    return path


def row(name: str, plan: Plan, folder: Path, workers: int) -> dict[str, str]:
    """Score one setting and say what SWAP is worth there."""
    start = time.perf_counter()
    (outcome,) = compare(plan, out=folder, execution=Execution(workers=workers))
    table = outcome.table.set_index("proxy")
    found = table.loc["swap"]
    scores = outcome.scores[outcome.scores["seed"].notna()]
    of = scores.pivot_table(index="arch", columns="proxy", values="value")
    saturation = scores.loc[scores["proxy"] == "swap", "saturation"]
    spread = found["spearman_std"]
    return {
        "setting": name,
        "n": str(int(found["n"])),
        "Spearman": f"{found['spearman']:.3f}",
        "95 % interval": f"{found['ci_low']:.2f} to {found['ci_high']:.2f}",
        "± seeds": "" if pd.isna(spread) else f"{spread:.3f}",
        "V alone": f"{table.loc['values', 'spearman']:.3f}",
        "V, least to most": f"{of['values'].min():.0f} to {of['values'].max():.0f}",
        "mean psi": f"{of['swap'].mean():.0f}",
        "of its bound": f"{saturation.mean():.3f}",
        "seconds": f"{time.perf_counter() - start:.0f}",
    }


def main() -> None:
    """Print a table for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", nargs="+", choices=FIGURES)
    parser.add_argument("--space", help="other than DARTS-1000: no noise")
    parser.add_argument("--resolution", type=int, default=0, help="in place of the space's own")
    parser.add_argument("--over", type=int, nargs="+", help="batch sizes, or sides of images")
    parser.add_argument("--archs", type=count_or_all, default=None, help="a number, or all")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--repeats", type=int, help="re-initialisations; 32 unless given")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/ablations"))
    given = parser.parse_args()
    if given.space is None:
        (plan,) = plans_from_config("darts1000", {"proxies": PROXIES})
    elif "noise" in given.figures:
        parser.error("noise goes with DARTS-1000 alone")
    else:
        task = next(iter(spaces.get(given.space).tasks))
        plan = Plan(space=given.space, task=task, proxies=PROXIES)
    plan = replace(plan, archs=given.archs, seeds=given.seeds, resolution=given.resolution)
    if given.repeats is not None:
        plan = replace(plan, repeats=given.repeats, batch_repeats=max(1, given.repeats))
    for figure in given.figures:
        rows = [
            row(name, one, given.out / figure / name.replace(" ", "_"), given.workers)
            for name, one in settings(figure, plan, given.out, given.over)
        ]
        print(f"{figure}:\n\n{markdown_table(pd.DataFrame(rows))}", flush=True)


if __name__ == "__main__":
    main()
