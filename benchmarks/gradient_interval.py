"""Where in depth gradients vary most, for each search space: the interval of L-SWAG.

    python benchmarks/gradient_interval.py --space nasbench201 --archs 100
    python benchmarks/gradient_interval.py --space pit --archs 30 --resolution 64

Random untrained networks on natural crops, labels drawn at random; no accuracy is looked at. Each
layer's value is log of the mean over its weights of the standard deviation over images of |g|
(arXiv 2505.07300, figure 2b), averaged over all layers in each of ten bins of depth (equation 6).

The paper takes the beginning and the end of the visible spike. The rule here: the bins around the
highest one, without a gap, that lie at least half as far above the median bin as the highest does.
These become `SearchSpace.gradient_interval`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

import numpy as np
import torch

from naslib_swap import spaces
from naslib_swap.predictors.l_swag import BINS, layer_values
from naslib_swap.scoring import Architecture
from naslib_swap.scoring.conditions import conditions_for
from naslib_swap.scoring.images import Images


def profile(space: str, task: str, archs: int, seed: int, resolution: int) -> np.ndarray:
    """Return log deviation of the gradients by bin: [networks' layers' mean, deviation] by bin."""
    found = spaces.get(space)
    rng = np.random.default_rng([seed, 7])
    images = Images(samples=0, resolution=resolution)
    conditions = conditions_for(space, task, images=images)
    values: list[list[float]] = [[] for _ in range(BINS)]
    for _ in range(archs):
        subject = Architecture(space, task, found.encode(found.sample(rng)))
        probe = subject.probe(conditions, seed)
        for place, mean in layer_values(probe, lambda deviations: float(deviations.mean())):
            if mean > 0:
                values[place].append(math.log(mean))
    return np.array([[np.mean(v), np.std(v)] if v else [-np.inf, 0.0] for v in values])


def spike(means: Sequence[float]) -> tuple[float, float]:
    """Return the interval of the spike: see above.

    >>> spike([0, 0, 1, 4, 3, 1, 0, 0, 0, 0])
    (0.3, 0.5)
    """
    highest = int(np.argmax(means))
    level = (float(np.median(means)) + means[highest]) / 2
    first = last = highest
    while first > 0 and means[first - 1] >= level:
        first -= 1
    while last + 1 < len(means) and means[last + 1] >= level:
        last += 1
    return first / BINS, (last + 1) / BINS


def main() -> None:
    """Print one line per space."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--space", action="append", help="default: all")
    parser.add_argument("--task", help="default: the space's first")
    parser.add_argument("--archs", type=int, default=100)
    parser.add_argument("--resolution", type=int, default=0, help="default: the task's")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for space in given.space or spaces.names():
        task = given.task or next(iter(spaces.get(space).tasks))
        found = profile(space, task, given.archs, given.seed, given.resolution)
        bins = " ".join(f"{mean:.2f}±{deviation:.2f}" for mean, deviation in found)
        print(f"{space} {task}: {spike(found[:, 0].tolist())}  {bins}", flush=True)


if __name__ == "__main__":
    main()
