from __future__ import annotations

import numpy as np
import pytest

from naslib_swap.errors import SwapError
from naslib_swap.optimizers.fitness import Scored, SizeWeighting
from naslib_swap.optimizers.other_paradigms import prescreen, pseudo_labels


def test_prescreen_keeps_the_best_of_the_draw(letters, counting):
    kept = prescreen(letters, 50, 5, measure=counting, seed=1)
    assert len(counting.asked) == len(set(counting.asked)) == 50
    scores = sorted((word.count("c") + 1 for word in counting.asked), reverse=True)
    assert [record.score for record in kept] == scores[:5]


def test_prescreen_weighs_by_size(letters, counting):
    weighting = SizeWeighting("fixed", 0.0, 0.01)
    kept = prescreen(letters, 200, 5, measure=counting, weighting=weighting)
    fewest = sorted(word.count("b") for word in counting.asked)[:5]
    assert [record.size for record in kept] == fewest


@pytest.mark.parametrize(
    ("n", "keep", "message"),
    [
        (5, 6, "got keep 6"),
        (5, 0, "got keep 0"),
        (1, 1, "got population 1"),
        (10, 1, "only 9 of 10"),
    ],
)
def test_prescreen_refuses(pairs, counting, n, keep, message):
    with pytest.raises(SwapError, match=message):
        prescreen(pairs, n, keep, measure=counting)


def measure(score: float) -> Scored:
    return Scored(score, 1.0)


def test_pseudo_labels_by_hand():
    assert pseudo_labels([10.0, 30.0, 20.0, 20.0], measure=measure).tolist() == [
        0.125,
        0.875,
        0.5,
        0.5,
    ]


def test_pseudo_labels_take_the_scale_of_accuracies():
    labels = pseudo_labels([1.0, 9.0, 5.0], measure=measure, accuracies=[80.0, 90.0])
    assert labels.argsort().tolist() == [0, 2, 1]
    assert labels == pytest.approx([80 + 10 / 6, 80 + 50 / 6, 85.0])


def test_pseudo_labels_weigh_by_the_sizes_given():
    sizes = {"small": 1.0, "middle": 2.0, "large": 3.0}
    labels = pseudo_labels(
        list(sizes),
        measure=lambda arch: Scored(1.0, sizes[arch]),
        weighting=SizeWeighting("adaptive"),
    )
    assert labels[1] > labels[0] == labels[2]


def test_pseudo_labels_keep_the_order_of_scores():
    scores = np.random.default_rng(0).random(40)
    labels = pseudo_labels(list(scores), measure=measure)
    assert labels.argsort().tolist() == scores.argsort().tolist()
    assert 0 < labels.min() < labels.max() < 1


def test_pseudo_labels_refuse():
    with pytest.raises(SwapError, match="at least 2"):
        pseudo_labels([1.0], measure=measure)
    with pytest.raises(SwapError, match="got empty accuracies"):
        pseudo_labels([1.0, 2.0], measure=measure, accuracies=[])
