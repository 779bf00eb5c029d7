"""Searches by a combination: fitness is the combined score among all that was scored so far."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from naslib_swap import proxies
from naslib_swap.combinations import Combination
from naslib_swap.errors import BadArgument, SwapError
from naslib_swap.optimizers import checkpoint, search
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings, each
from naslib_swap.optimizers.fitness import Scored, SizeWeighting, fitness
from naslib_swap.optimizers.native import search as searched
from naslib_swap.optimizers.plan import SearchPlan
from naslib_swap.optimizers.ranking import Ranking
from naslib_swap.proxies import Proxy
from naslib_swap.scoring import Architecture, score

PAIR = Combination("pair", "Pair", ("swap", "ntk"))  # of ntk less is better
WEIGHED = Combination(
    "weighed", "Weighed", ("swap", "params", "ntk"), (("swap", "ntk"), ("params",))
)
NONE = SizeWeighting("none")
SETTINGS = EvolutionSettings(
    population=6, mutations=3, offspring=2, weighting=NONE, combination=PAIR
)
MINE = SearchPlan(
    "nasbench201",
    proxy="mine",
    combine=("mine=params+depth",),
    population=4,
    mutations=2,
    offspring=1,
    samples=2,
    cycles=3,
)


def of(*values: float | None) -> Scored:
    """What was measured by some members."""
    return Scored(None, 1.0, dict(zip(("swap", "ntk"), values)))


class Members:
    """swap: how many c; ntk: how many b; params: both. Words with aa in them have no swap."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, arch: tuple[str, ...]) -> Scored:
        self.asked.append("".join(arch))
        c, b = float(arch.count("c")), float(arch.count("b"))
        values = {"swap": c, "ntk": b, "params": b + c}
        if "aa" not in "".join(arch):
            return Scored(None, b, values)
        return Scored(None, b, {**values, "swap": None}, {"swap": "two a"})


def by_the_textbook(cohort: Sequence[Mapping[str, float | None]]) -> list[float]:
    """PAIR's scores: rank 1 is the worst, equal values share their mean rank."""
    found = [0.0] * len(cohort)
    for member, sign in (("swap", 1), ("ntk", -1)):
        column = [-math.inf if v[member] is None else sign * v[member] for v in cohort]
        for i, value in enumerate(column):
            below, equal = sum(x < value for x in column), sum(x == value for x in column)
            found[i] += math.log((below + (equal + 1) / 2) / len(column))
    return found


def test_ranks_by_hand_and_anew_as_the_history_grows():
    ranking = Ranking(PAIR).add({"x": of(1, 3), "y": of(2, 1), "z": of(None, 2)})
    log = math.log
    # By swap z, x, y; by ntk x, z, y; z has no swap.
    expected = {"x": log(2 / 3) + log(1 / 3), "y": 0.0, "z": log(1 / 3) + log(2 / 3)}
    assert ranking.fitness == pytest.approx(expected)
    # By swap z, w, x, y; by ntk x, z, y, w.
    grown = ranking.add({"w": of(0, 0)})
    expected = {
        "x": log(3 / 4) + log(1 / 4),
        "y": log(3 / 4),
        "z": log(1 / 4) + log(2 / 4),
        "w": log(2 / 4),
    }
    assert grown.fitness == pytest.approx(expected)
    assert list(grown.fitness) == list(grown.archs)


def test_fewer_than_three_are_ranked_among_themselves():
    alone = Ranking(PAIR).add({"x": of(1, 1)})
    assert alone.fitness == {"x": 0.0}
    assert alone.add({"y": of(0, 2)}).fitness == pytest.approx({"x": 0.0, "y": 2 * math.log(0.5)})
    assert Ranking(PAIR).add({}).fitness == {}


def test_two_can_change_places_by_those_that_come():
    first = Ranking(PAIR).add({"a": of(10, -1), "b": of(5, -2), "c": of(0, 0), "d": of(7, -0.5)})
    assert first.fitness["a"] > first.fitness["b"]
    later = first.add({"e": of(0.1, -1.5), "f": of(0.2, -1.6)})
    assert later.fitness["a"] < later.fitness["b"]


def test_fitness_is_that_among_all_scored_by_then(letters):
    members = Members()
    evolution = Evolution(letters, each(members), SETTINGS, seed=1)
    while evolution.state.cycle < 12:
        tried = evolution.fill(1) if not evolution.filled else evolution.cycle()
        history = list(evolution.state.history.values())
        now = by_the_textbook([one.values for one in history])
        assert [evolution.value(one.arch) for one in history] == pytest.approx(now)
        # The children of a crossover are ranked before the mutants come.
        mutants = [one for one in tried if one.origin != "crossover"]
        assert [one.fitness for one in mutants] == pytest.approx(now[-len(mutants) :])
        best = [one.fitness for one in mutants if one.entered]
        assert best == [max(one.fitness for one in mutants)]
    values = {one.arch: value for one, value in zip(history, now)}
    assert len(members.asked) == len(set(members.asked)) == len(history)
    top = [values[one.arch] for one in evolution.top(10)]
    assert top == pytest.approx(sorted(values.values(), reverse=True)[:10])
    assert values[evolution.best().arch] == max(values[key] for key in evolution.state.population)
    assert any(one.fitness != evolution.value(one.arch) for one in history)


def test_the_worst_by_the_ranking_now_leaves(letters):
    evolution = Evolution(letters, each(Members()), SETTINGS, seed=5)
    evolution.fill(6)
    for _ in range(10):
        before = list(evolution.state.population)
        entered = [one.arch for one in evolution.step() if one.entered]
        (left,) = {*before, *entered} - set(evolution.state.population)
        assert evolution.value(left) == min(map(evolution.value, [*before, *entered]))


def test_a_missing_member_is_the_worst_and_said(letters):
    evolution = Evolution(letters, each(Members()), SETTINGS, seed=0)
    while evolution.state.cycle < 10:
        evolution.step()
    lacking = [one for one in evolution.state.history.values() if one.errors]
    assert lacking
    assert not evolution.state.failures
    for one in lacking:
        assert "aa" in one.arch
        assert (one.values["swap"], one.errors) == (None, {"swap": "two a"})
        assert json.loads(search._line(one))["errors"] == {"swap": "two a"}


def test_a_member_that_scores_nothing_of_the_first_population_ends_the_search(letters):
    def without(arch: object) -> Scored:
        return Scored(None, 1.0, {"swap": 1.0, "ntk": None}, {"ntk": "too large"})

    evolution = Evolution(letters, each(without), SETTINGS)
    evolution.fill(6)
    assert evolution.best()
    message = (
        "none of the first 6 architectures has a score by ntk, a member of the combination 'pair'; "
        "the reason of the first: too large"
    )
    with pytest.raises(SwapError, match=message):
        evolution.step()


@pytest.mark.parametrize("combination", [PAIR, WEIGHED], ids=["pair", "weighed"])
def test_a_resumed_search_is_the_undisturbed_one(letters, tmp_path, combination):
    settings = replace(SETTINGS, combination=combination)

    def run(name: str, cycles: int, *, resume: bool) -> None:
        folder = tmp_path / name
        state = search.begin(folder, {}, resume=resume)
        evolution = Evolution(letters, each(Members()), settings, seed=4, state=state)
        search.run(evolution, cycles=cycles, folder=folder, identity={})

    run("whole", 20, resume=False)
    for cycles in (0, 1, 2, 9, 20):
        run("parts", cycles, resume=cycles > 0)
    parts, whole = ((tmp_path / n / search.HISTORY).read_bytes() for n in ("parts", "whole"))
    assert parts == whole
    assert b'"errors"' in whole
    states = [checkpoint.load(tmp_path / n / search.CHECKPOINT, {}) for n in ("parts", "whole")]
    assert states[0] == states[1]


def test_a_step_that_fails_leaves_no_trace(letters):
    members = Members()

    def breaks(arch: tuple[str, ...]) -> Scored:
        if broken and len(members.asked) % 3 == 2:
            members.asked.append("broken")
            raise RuntimeError("out of luck")
        return members(arch)

    broken, failures = False, 0
    disturbed, calm = (Evolution(letters, each(breaks), SETTINGS, seed=2) for _ in range(2))
    for evolution in (disturbed, calm):
        evolution.fill(6)
    broken = True
    for _ in range(6):
        try:
            disturbed.step()
        except RuntimeError:
            failures += 1
    broken = False
    assert failures
    for evolution in (disturbed, calm):
        while evolution.state.cycle < 15:
            evolution.step()
    assert disturbed.state == calm.state


def test_settings_that_a_combination_refuses():
    message = "got size weighting 'adaptive' for the combination 'pair', expected none: a sum of"
    with pytest.raises(BadArgument, match=message):
        EvolutionSettings(combination=PAIR)
    message = "got population 2, expected at least 3 members for the combination 'pair'"
    with pytest.raises(BadArgument, match=message):
        replace(SETTINGS, population=2)


def test_values_of_members_are_no_score():
    with pytest.raises(BadArgument, match="expected a score: an architecture has a combined score"):
        fitness(of(1, 1), None)


def test_a_search_keeps_the_values_of_every_door(tmp_path):
    result = searched(MINE, out=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert len(lines) == len(result.history) > 8
    for line in lines:
        subject = Architecture("nasbench201", "cifar10", line["arch"])
        found = score(subject, ["params", "depth"])
        assert line["values"] == {name: one.value for name, one in found.items()}
        assert line["score"] is None
        assert "errors" not in line
    written = json.loads((tmp_path / "result.json").read_text())
    ranking = Ranking(Combination("mine", "mine", ("params", "depth")))
    final = ranking.add({line["arch"]: Scored(None, 1.0, line["values"]) for line in lines}).fitness
    assert result.fitness == list(final.values())
    assert written["fitness"] == final[written["found"]] == max(final.values())
    assert [one["fitness"] for one in written["top"]] == sorted(final.values())[:-11:-1]
    assert written["values"] == written["top"][0]["values"]
    assert list(written["recipe"]) == list(result.recipes) == ["params", "depth"]
    assert written["settings"]["combination"]["members"] == ["params", "depth"]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("no_drawings")
def test_another_combination_is_another_search(tmp_path):
    searched(replace(MINE, cycles=0), out=tmp_path)
    for change, difference in (
        ({"combine": ("mine=params+flops",)}, "settings.combination.members"),
        ({"proxy": "params", "combine": ()}, "proxy: 'mine' there, 'params' here"),
    ):
        with pytest.raises(SwapError, match=f"belongs to another search .{difference}"):
            searched(replace(MINE, **change), out=tmp_path, resume=True)
    assert searched(MINE, out=tmp_path, resume=True).state.cycle == 3


def test_members_that_fail(monkeypatch):
    def choosy(probe: object) -> float:
        if probe.parameters > 200_000:
            raise SwapError("too large")
        return 1.0

    def moody(probe: object) -> float:
        if probe.parameters > 500_000:
            raise SwapError("much too large")
        return 1.0

    for name, compute in (("choosy", choosy), ("moody", moody)):
        monkeypatch.setitem(proxies.PROXIES._found, name, Proxy(name, name, compute))
    plan = replace(MINE, proxy="both", combine=("both=choosy+moody",), population=8)
    result = searched(plan)
    sizes = {one.arch: one.size for one in result.state.history.values()}
    lacking = [one for one in result.state.history.values() if one.errors]
    assert lacking
    assert {tuple(one.errors.items()) for one in lacking} == {(("choosy", "too large"),)}
    assert all(200 < sizes[one.arch] <= 500 for one in lacking)
    assert result.failures
    assert {one.error for one in result.failures} == {"too large; much too large"}


def test_a_measure_by_a_combination_gives_values():
    measure = MINE.complete().measure()
    arch = MINE.complete().moves().parse("(0, 2, 3, 2, 3, 1)")
    measured = measure(arch)
    assert measured.score is None
    assert measured.values == {"params": measured.size / 1000, "depth": 21.0}
