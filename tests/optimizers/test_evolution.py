from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naslib_swap.errors import SwapError
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings, each
from naslib_swap.optimizers.fitness import Moments, Scored, SizeWeighting, fitness
from naslib_swap.regularisation import Regularisation

PLAIN = EvolutionSettings(population=6, mutations=3, offspring=2, weighting=SizeWeighting("none"))


def run(evolution: Evolution, cycles: int) -> None:
    for _ in range(cycles + 1):
        evolution.step()


def test_first_step_scores_the_population_and_later_ones_keep_its_size(letters, counting):
    evolution = Evolution(letters, each(counting), PLAIN, seed=1)
    first = evolution.fill(6)
    assert [r.origin for r in first] == ["random"] * 6
    assert len(set(evolution.state.population)) == 6
    for _ in range(10):
        evolution.step()
        assert len(evolution.state.population) == 6


def test_finds_the_optimum_of_the_toy_space(letters, counting):
    evolution = Evolution(letters, each(counting), PLAIN, seed=0)
    run(evolution, 40)
    assert evolution.best().arch == "cccccccc"
    assert evolution.best().score == 9


def test_beats_random_search_at_the_same_number_of_scores(letters, counting):
    found, drawn = [], []
    for seed in range(10):
        evolution = Evolution(letters, each(counting), PLAIN, seed=seed)
        run(evolution, 10)
        rng = np.random.default_rng(seed)
        found.append(evolution.top(1)[0].score)
        drawn.append(max(counting(letters.sample(rng)).score for _ in evolution.state.history))
    assert np.mean(found) > np.mean(drawn) + 0.5


def test_no_architecture_is_scored_twice(letters, counting):
    evolution = Evolution(letters, each(counting), PLAIN, seed=3)
    run(evolution, 60)
    assert max(Counter(counting.asked).values()) == 1
    assert counting.asked == list(evolution.state.history)
    assert [r.index for r in evolution.state.history.values()] == list(range(len(counting.asked)))


def test_equal_networks_are_scored_once_and_used_up(bags, counting):
    settings = replace(PLAIN, population=3, crossover=1.0)
    evolution = Evolution(bags, each(counting), settings, seed=0)
    while not evolution.state.exhausted:
        evolution.step()
    assert len(counting.asked) == 10
    assert len({"".join(sorted(word)) for word in counting.asked}) == 10
    assert list(evolution.state.history) == counting.asked  # as they were drawn
    resumed = Evolution(bags, each(counting), settings, state=evolution.state)
    assert resumed.step() == []
    assert len(counting.asked) == 10


def test_an_offspring_known_by_another_string_can_be_the_parent(bags, counting):
    settings = replace(PLAIN, population=8, sample=8, crossover=1.0, mutations=1)
    evolution = Evolution(bags, each(counting), settings, seed=0)
    parents = set()
    while not evolution.state.exhausted:
        tried = evolution.step()
        parents |= {one.parents[0] for one in tried if one.origin == "mutation"}
    assert parents
    assert parents <= set(evolution.state.history)


def test_a_small_space_is_used_up_cleanly(pairs, counting):
    settings = replace(PLAIN, population=3)
    evolution = Evolution(pairs, each(counting), settings, seed=0)
    for _ in range(20):
        if evolution.state.exhausted:
            break
        evolution.step()
    assert evolution.state.exhausted
    assert sorted(counting.asked) == sorted(x + y for x in "abc" for y in "abc")
    assert evolution.best().arch == "cc"


def test_worst_leaves(letters, counting):
    evolution = Evolution(letters, each(counting), replace(PLAIN, removal="worst"), seed=5)
    evolution.step()
    for _ in range(15):
        before = [evolution.value(key) for key in evolution.state.population]
        entered = [r for r in evolution.step() if r.entered]
        assert len(entered) == 1
        after = sorted(evolution.value(key) for key in evolution.state.population)
        assert after == sorted([*before, entered[0].fitness])[1:]


def test_oldest_leaves(letters, counting):
    evolution = Evolution(letters, each(counting), replace(PLAIN, removal="oldest"), seed=5)
    evolution.step()
    for _ in range(15):
        before = list(evolution.state.population)
        entered = [r.arch for r in evolution.step() if r.entered]
        assert evolution.state.population == before[1:] + entered


def test_only_the_best_mutant_enters_and_all_are_neighbours_of_the_parent(letters, counting):
    evolution = Evolution(letters, each(counting), replace(PLAIN, crossover=0.0), seed=2)
    evolution.step()
    for _ in range(10):
        records = evolution.step()
        assert len(records) == 3
        assert [r.entered for r in records].count(True) == 1
        entered = next(r for r in records if r.entered)
        assert entered.fitness == max(r.fitness for r in records)
        (parent,) = {r.parents[0] for r in records}
        for record in records:
            assert sum(x != y for x, y in zip(record.arch, parent)) == 1


def test_tournament_of_everyone_takes_the_best_as_parent(letters, counting):
    settings = replace(PLAIN, sample=6, crossover=0.0)
    evolution = Evolution(letters, each(counting), settings, seed=4)
    evolution.step()
    for _ in range(8):
        best = evolution.best().arch
        assert {r.parents for r in evolution.step()} == {(best,)}


def test_crossover_mixes_the_best_two_and_its_best_offspring_is_the_parent(letters, counting):
    settings = replace(PLAIN, sample=6, crossover=1.0, offspring=4)
    evolution = Evolution(letters, each(counting), settings, seed=4)
    evolution.step()
    crossed = 0
    for _ in range(8):
        ranked = sorted(evolution.state.population, key=evolution.value, reverse=True)
        records = evolution.step()
        offspring = [r for r in records if r.origin == "crossover"]
        (parent,) = {r.parents[0] for r in records if r.origin == "mutation"}
        for record in offspring:
            assert record.parents == (ranked[0], ranked[1])
            assert all(c in (x, y) for c, x, y in zip(record.arch, *record.parents))
            assert not record.entered
            assert evolution.value(parent) >= record.fitness
        crossed += bool(offspring)
    assert crossed > 3


def test_a_cycle_is_bred_from_what_came_before_those_in_flight(letters, counting):
    settings = replace(PLAIN, in_flight=3, sample=6, crossover=0.0)
    evolution = Evolution(letters, each(counting), settings, seed=4)
    evolution.step()
    best = [evolution.best().arch]
    for cycle in range(1, 12):
        tried = evolution.step()
        assert {one.cycle for one in tried} == {cycle} == {evolution.state.cycle}
        assert {one.parents for one in tried} == {(best[max(0, cycle - 3)],)}
        best.append(evolution.best().arch)
    assert len(evolution.state.waiting) == 2


@pytest.mark.parametrize("in_flight", [2, 5])
def test_in_flight_too_nothing_is_scored_twice_and_a_space_is_used_up(bags, counting, in_flight):
    settings = replace(PLAIN, population=3, crossover=0.7, in_flight=in_flight)
    evolution = Evolution(bags, each(counting), settings)
    while not evolution.state.exhausted:
        evolution.step()
    assert list(evolution.state.history) == counting.asked
    assert len({"".join(sorted(word)) for word in counting.asked}) == len(counting.asked) == 10


def test_same_seed_same_history_other_seed_another(letters, counting):
    def history(seed: int) -> list[str]:
        evolution = Evolution(letters, each(counting), PLAIN, seed=seed)
        run(evolution, 12)
        return list(evolution.state.history)

    assert history(7) == history(7)
    assert history(7) != history(8)


def test_filling_one_by_one_equals_filling_at_once(letters, counting):
    settings = replace(PLAIN, weighting=SizeWeighting("adaptive"))
    whole = Evolution(letters, each(counting), settings, seed=9)
    single = Evolution(letters, each(counting), settings, seed=9)
    whole.step()
    for _ in range(6):
        assert len(single.fill(1)) == 1
    assert single.filled
    assert whole.state == single.state


def test_adaptive_weights_are_moments_of_the_history_and_reweight_without_scoring(
    letters, counting
):
    settings = replace(PLAIN, weighting=SizeWeighting("adaptive"))
    evolution = Evolution(letters, each(counting), settings, seed=6)
    evolution.step()
    old = {key: evolution.value(key) for key in evolution.state.population}
    for _ in range(10):
        evolution.step()
    sizes = [r.size for r in evolution.state.history.values()]
    mu, sigma = evolution.weighting().mu, evolution.weighting().sigma
    assert mu == pytest.approx(np.mean(sizes))
    assert sigma == pytest.approx(np.std(sizes))
    assert any(evolution.value(key) != value for key, value in old.items())
    assert len(counting.asked) == len(evolution.state.history)


def test_inadmissible_architectures_are_never_scored(letters, counting):
    evolution = Evolution(
        letters, each(counting), PLAIN, seed=1, admissible=lambda arch: arch.count("c") <= 3
    )
    run(evolution, 30)
    assert all(word.count("c") <= 3 for word in counting.asked)
    assert evolution.best().score == 4


def test_impossible_limits_are_named(letters, counting):
    evolution = Evolution(letters, each(counting), PLAIN, admissible=lambda arch: False)
    with pytest.raises(SwapError, match="letters gave only 0 of 6 different architectures"):
        evolution.step()


def test_population_larger_than_the_space_is_named(pairs, counting):
    evolution = Evolution(pairs, each(counting), replace(PLAIN, population=10))
    with pytest.raises(SwapError, match="only 9 of 10 different"):
        evolution.fill(10)
    evolution.step()
    with pytest.raises(SwapError, match="only 1 of 2 different"):
        evolution.step()


@pytest.mark.parametrize(("crossover", "in_flight"), [(0.0, 1), (1.0, 1), (0.5, 4)])
def test_a_step_that_fails_leaves_no_trace(letters, counting, crossover, in_flight):
    class Breaking:
        broken = False

        def __call__(self, arch: tuple[str, ...]) -> Scored:
            if self.broken and len(counting.asked) % 3 == 2:
                counting.asked.append("broken")
                raise RuntimeError("out of luck")
            return counting(arch)

    measure = Breaking()
    settings = replace(PLAIN, crossover=crossover, in_flight=in_flight)
    disturbed = Evolution(letters, each(measure), settings, seed=11)
    calm = Evolution(letters, each(measure), settings, seed=11)
    for evolution in (disturbed, calm):
        run(evolution, 3)
    measure.broken = True
    failures = 0
    for _ in range(5):
        try:
            disturbed.step()
        except RuntimeError:
            failures += 1
    measure.broken = False
    assert failures
    while disturbed.state.cycle < 20:
        disturbed.step()
    while calm.state.cycle < 20:
        calm.step()
    assert disturbed.state == calm.state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"population": 1}, "got population 1, expected at least 2"),
        ({"population": 4, "sample": 5}, "got sample 5, expected between 1 and the population, 4"),
        ({"sample": 0}, "got sample 0"),
        ({"mutations": 0}, "at least 1 each"),
        ({"crossover": 1.5}, "expected a probability"),
        ({"in_flight": 0}, "got 0 cycles in flight, expected at least 1"),
        ({"in_flight": 9999}, "offspring 2 of 9999 cycles, 29,997 in all, expected"),
        ({"removal": "best"}, "got removal 'best', expected worst or oldest"),
    ],
)
def test_settings_out_of_range(change, message):
    with pytest.raises(SwapError, match=message):
        replace(PLAIN, **change)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sometimes",), "expected none, fixed or adaptive"),
        (("fixed", 1.0), "got mu=1.0, sigma=None, expected both"),
        (("fixed", 1.0, 0.0), "sigma > 0"),
        (("fixed", math.nan, 1.0), "finite numbers"),
        (("adaptive", 1.0, 1.0), "no meaning"),
    ],
)
def test_size_weighting_out_of_range(arguments, message):
    with pytest.raises(SwapError, match=message):
        SizeWeighting(*arguments)


def test_fitness_by_hand():
    measured = Scored(score=math.e, size=3.0)
    assert fitness(measured, None) == math.e
    assert fitness(measured, Regularisation(1.0, 2.0)) == pytest.approx(1 - 4 / 2)
    assert fitness(Scored(0.0, 1.0), Regularisation(1.0, 2.0)) == -math.inf
    # Where the plain product underflows, ranks stay.
    unit = Regularisation(0.0, 1.0)
    assert fitness(Scored(10.0, 100.0), unit) > fitness(Scored(10.0, 101.0), unit)


def test_adaptive_weighting_of_equal_sizes_leaves_the_score():
    weighting = SizeWeighting("adaptive")
    alike = weighting.after(Moments().add(2.0).add(2.0))
    assert fitness(Scored(math.e, 2.0), alike) == 1.0
    adapted = weighting.after(Moments().add(2.0).add(4.0))
    assert (adapted.mu, adapted.sigma) == (3.0, 1.0)


def test_negative_scores_cannot_be_weighed_by_size():
    with pytest.raises(SwapError, match=r"got a value of -1\.0 to weigh by size"):
        fitness(Scored(-1.0, 1.0), Regularisation(1.0, 1.0))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_running_moments_are_numpys(values):
    moments = Moments()
    for value in values:
        moments = moments.add(value)
    assert moments.mean == pytest.approx(np.mean(values), abs=1e-6)
    assert moments.deviation == pytest.approx(np.std(values), rel=1e-6, abs=1e-3)


class Unreliable:
    """Fails for every word with aa in it; remembers all it was asked."""

    def __init__(self, counting) -> None:
        self.counting = counting

    def __call__(self, arch: tuple[str, ...]) -> Scored:
        measured = self.counting(arch)
        if "aa" in "".join(arch):
            raise SwapError(f"{''.join(arch)} has no score")
        return measured


def test_an_architecture_that_cannot_be_scored_is_set_aside(letters, counting):
    evolution = Evolution(letters, each(Unreliable(counting)), PLAIN, seed=3)
    tried = []
    for _ in range(40):
        tried += evolution.step()
    state = evolution.state
    assert state.tried() == tried
    assert [one.index for one in tried] == list(range(len(tried)))
    assert [one.arch for one in tried] == counting.asked
    assert len(set(counting.asked)) == len(counting.asked)
    assert state.failures
    assert all("aa" in key for key in state.failures)
    assert not any("aa" in key for key in [*state.history, *state.population])
    assert not any("aa" in parent for one in tried for parent in one.parents)
    assert {f.origin for f in state.failures.values()} == {"random", "crossover", "mutation"}
    key, failure = next(iter(state.failures.items()))
    assert failure.error == f"{key} has no score"
    assert evolution.best().arch == "cccccccc"
    assert state.sizes.count == len(state.history)


def test_a_population_is_filled_up_in_place_of_failures(letters, counting):
    evolution = Evolution(letters, each(Unreliable(counting)), PLAIN, seed=3)
    while not evolution.filled:
        evolution.fill(2)
    assert len(evolution.state.population) == PLAIN.population
    assert evolution.state.failures


def test_a_cycle_whose_children_all_fail_changes_no_population(letters, counting):
    evolution = Evolution(letters, each(counting), PLAIN, seed=3)
    evolution.step()
    before = list(evolution.state.population)

    def fails(arch: object) -> Scored:
        raise SwapError("no")

    evolution.measure = each(fails)
    assert len(evolution.step()) >= PLAIN.mutations
    assert evolution.state.population == before
    assert evolution.state.cycle == 1


def test_a_first_population_that_fails_as_a_whole_ends_with_the_first_reason(letters, counting):
    def fails(arch: tuple[str, ...]) -> Scored:
        counting(arch)
        raise SwapError(f"{''.join(arch)} has no score")

    evolution = Evolution(letters, each(fails), PLAIN, seed=3)
    message = "none of the first 6 architectures could be scored; the reason of the first: "
    assert len(evolution.step()) == 6
    with pytest.raises(SwapError, match=message) as raised:
        evolution.step()
    assert f"{counting.asked[0]} has no score" in str(raised.value)
    assert len(counting.asked) == 6
