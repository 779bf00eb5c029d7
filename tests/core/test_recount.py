"""Every kind of network is counted as an independent recount counts it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from naslib_swap import swap_score
from tests.core import recount, zoo


def built(case: zoo.Case, p: float) -> nn.Module:
    torch.manual_seed(3)
    return case.build(p)


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("case", zoo.CASES, ids=lambda case: case.name)
def test_the_recount_agrees(case: zoo.Case, mode: str) -> None:
    bare = built(case, 0.0).train(mode == "train")
    for module in bare.modules():
        if isinstance(module, nn.RReLU):
            module.eval()
    torch.manual_seed(0)
    found = recount.activations(bare, lambda: bare(case.inputs), case.spelt)
    matrix = recount.rows(found, len(case.inputs), case.axis, case.outer, case.each)
    net = built(case, 0.4)  # dropout is off unless asked for
    result = swap_score(net, case.inputs, mode=mode)
    assert (result.values, result.score) == (matrix.shape[1], recount.distinct(matrix))
    assert 1 < result.score <= result.bound
    assert swap_score(net, case.inputs, mode=mode) == result


def test_the_zoo_is_large() -> None:
    assert len({case.name for case in zoo.CASES}) == len(zoo.CASES) >= 60


@pytest.mark.parametrize("case", zoo.CASES, ids=lambda case: case.name)
def test_a_thorough_check_changes_nothing(case: zoo.Case) -> None:
    net = built(case, 0.4)
    if case.name == "batch statistics by hand":
        pytest.skip("samples meet there, in either mode")
    assert swap_score(net, case.inputs, check_rows=True) == swap_score(net, case.inputs)
