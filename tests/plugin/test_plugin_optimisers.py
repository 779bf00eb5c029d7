"""The population that replaces a runner's default, so that the default run evolves."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naslib_swap.plugin import optimisers


def search(epochs: int, population: int, sample: int = 10) -> SimpleNamespace:
    return SimpleNamespace(epochs=epochs, population_size=population, sample_size=sample)


@pytest.mark.parametrize(
    ("epochs", "population", "fitted", "sample"),
    [
        (50, 100, 10, 5),  # nas runner
        (10, 30, 5, 3),  # bbo runner
        (100, 30, 20, 10),  # nas_predictors runner
        (1000, 100, 100, 10),
        (4, 30, 3, 2),
        (1, 30, 1, 1),
    ],
)
def test_the_runners_defaults_become_a_search(
    epochs: int, population: int, fitted: int, sample: int
):
    node = search(epochs, population)
    said = optimisers.fit_population(node, set())
    assert (node.population_size, node.sample_size) == (fitted, sample)
    if fitted == population:
        assert said is None
    else:
        assert f"first population of {fitted} and {epochs - fitted} cycles" in said
        assert f"the runner's default population is {population}" in said


@given(st.integers(2, 10_000), st.integers(1, 1000), st.integers(1, 1000))
def test_there_are_cycles_wherever_there_can_be(epochs: int, population: int, sample: int):
    node = search(epochs, population, sample)
    optimisers.fit_population(node, set())
    assert 1 <= node.population_size <= min(population, epochs - 1)
    assert node.sample_size <= sample


def test_what_the_user_gave_stays():
    node = search(50, 100, 10)
    assert optimisers.fit_population(node, {"search.population_size"}) is None
    assert (node.population_size, node.sample_size) == (100, 10)
    optimisers.fit_population(node, {"search.sample_size"})
    assert (node.population_size, node.sample_size) == (10, 10)
