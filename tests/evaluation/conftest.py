from __future__ import annotations

import numpy as np
import pytest

from naslib_swap import spaces
from naslib_swap.evaluation.study import InputsSpec, Study


@pytest.fixture(scope="session")
def genotypes() -> tuple[str, ...]:
    """Eight architectures of the DARTS space, whose tiny networks score in milliseconds."""
    space, rng = spaces.get("darts"), np.random.default_rng(0)
    return tuple(space.encode(space.sample(rng)) for _ in range(8))


@pytest.fixture(scope="session")
def study(genotypes: tuple[str, ...]) -> Study:
    return Study(
        space="darts",
        task="cifar10",
        archs=genotypes,
        proxies=("swap", "params", "depth", "nwot", "l2_norm"),
        seeds=(0, 1),
        inputs=InputsSpec("natural", samples=6),
        settings={"repeats": 0, "batch_repeats": 1, "mu": 1.0, "sigma": 1.0},
        variant="tiny",
    )
