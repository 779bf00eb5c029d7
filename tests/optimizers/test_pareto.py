"""NSGA-II by hand: fronts, crowding, standing, hypervolume, and an evolution by it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from naslib_swap.errors import BadArgument
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings
from naslib_swap.optimizers.fitness import Scored, SizeWeighting
from naslib_swap.optimizers.pareto import crowding, fronts, hypervolume, standing, undominated

NONE = SizeWeighting("none")
POINTS = arrays.arrays(
    float, st.tuples(st.integers(1, 12), st.integers(2, 3)), elements=st.integers(0, 4)
)


def test_fronts_by_hand():
    points = [[1, 5], [2, 3], [4, 1], [2, 4], [3, 3], [5, 5], [2, 3]]
    assert fronts(np.array(points, float)).tolist() == [0, 0, 0, 1, 1, 2, 0]


def dominates(a, b):
    return all(x <= y for x, y in zip(a, b)) and any(x < y for x, y in zip(a, b))


@given(POINTS)
def test_a_front_is_dominated_by_those_before_it_alone(points):
    number = fronts(points)
    for i, point in enumerate(points):
        above = [number[j] for j, other in enumerate(points) if dominates(other, point)]
        assert number[i] == (max(above) + 1 if above else 0)


@given(POINTS)
def test_undominated_are_the_first_of_each_point_of_the_first_front(points):
    first = {tuple(point): i for i, point in reversed(list(enumerate(points)))}
    free = [i for i in first.values() if fronts(points)[i] == 0]
    assert undominated(points) == sorted(free)


def test_crowding_by_hand():
    points = np.array([[0.0, 10.0], [1.0, 6.0], [4.0, 1.0], [10.0, 0.0]])
    # (4 - 0) / 10 + (10 - 1) / 10, and (10 - 1) / 10 + (6 - 0) / 10
    assert crowding(points) == pytest.approx([np.inf, 1.3, 1.5, np.inf])
    assert crowding(np.ones((3, 2))).tolist() == [np.inf, 0.0, np.inf]


def test_standing_puts_fronts_first_and_the_less_crowded_before_the_crowded():
    points = np.array([[0, 10], [1, 6], [4, 1], [10, 0], [11, 1], [12, 12]], float)
    order = np.argsort(-standing(points), kind="stable").tolist()
    assert order == [0, 3, 2, 1, 4, 5]
    assert standing(np.empty((0, 2))).tolist() == []


def test_hypervolume_by_hand():
    worst = np.array([4.0, 4.0])
    assert hypervolume(np.array([[1.0, 1.0]]), worst) == 9
    # 3 x 1 + 1 x 2: what both cover counts once
    assert hypervolume(np.array([[1.0, 3.0], [3.0, 1.0], [3.5, 3.5], [5.0, 0.0]]), worst) == 5
    assert hypervolume(np.array([[4.0, 0.0]]), worst) == 0


def measure(archs):
    """Score: how many c; cost: how many letters are no a."""
    return [
        Scored(1.0 + arch.count("c"), 1.0, costs={"letters": float(8 - arch.count("a"))})
        for arch in archs
    ]


def test_a_pareto_search_finds_the_whole_front(letters):
    settings = EvolutionSettings(population=20, weighting=NONE, pareto=("score", "letters"))
    assert settings.tournament == 2
    evolution = Evolution(letters, measure, settings, seed=1)
    while len(evolution.state.history) < 400:
        evolution.step()
        assert len(evolution.state.population) <= 20
    found = [(one.score, one.costs["letters"]) for one in evolution.front()]
    # As many c as other letters than a, from all c to none.
    assert found == [(1.0 + n, float(n)) for n in range(8, -1, -1)]
    assert evolution.best().score == max(score for score, _ in found)


def test_a_front_is_that_of_all_that_was_scored(letters):
    settings = EvolutionSettings(population=4, weighting=NONE, pareto=("score", "letters"))
    evolution = Evolution(letters, measure, settings, seed=3)
    while len(evolution.state.history) < 100:
        evolution.step()
    scored = evolution.state.history.values()
    points = {(-one.score, one.costs["letters"]) for one in scored}
    best = {p for p in points if not any(dominates(other, p) for other in points)}
    front = evolution.front()
    assert {(-one.score, one.costs["letters"]) for one in front} == best
    assert len(front) == len(best)


def test_without_objectives_the_front_is_the_best(letters, counting):
    from naslib_swap.optimizers.evolution import each

    evolution = Evolution(letters, each(counting), EvolutionSettings(weighting=NONE))
    evolution.fill(20)
    assert evolution.front() == evolution.top(1)


@pytest.mark.parametrize("pareto", [("score", "score"), ("score",), ("a", "b")])
def test_impossible_objectives(pareto):
    with pytest.raises(BadArgument, match="got the objectives"):
        EvolutionSettings(pareto=pareto)
