"""FLOPs of architectures: by formula where the space has one, and equal to those that run."""

from __future__ import annotations

import numpy as np
import pytest

from naslib_swap import spaces
from naslib_swap.scoring import Architecture, score


@pytest.mark.parametrize(
    ("space", "task"),
    [
        ("nasbench201", "cifar100"),
        ("nasbench201", "ImageNet16-120"),
        ("autoformer_tiny", "imagenet"),
        ("vitbench_autoformer", "chaoyang"),
    ],
)
def test_formula_and_forward_pass_agree(
    monkeypatch: pytest.MonkeyPatch, space: str, task: str
) -> None:
    found = spaces.get(space)
    drawn = found.sample(np.random.default_rng(0))
    arch = Architecture(space, task, found.encode(drawn))
    by_formula = score(arch, ["flops"])["flops"].value
    assert arch.multiply_accumulates(arch.takes.shape_at(0)) == round(by_formula * 1e6)
    monkeypatch.setattr(Architecture, "multiply_accumulates", lambda self, shape: None)
    assert score(arch, ["flops"])["flops"].value == by_formula
