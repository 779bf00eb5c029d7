from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from naslib_swap import combinations, proxies
from naslib_swap.combinations import Combination, find, read, requested
from naslib_swap.errors import BadArgument

PAIR = Combination("pair", "Pair", ("swap", "params"))
WEIGHED = Combination(
    "weighed", "Weighed", ("swap", "params", "flops"), (("swap",), ("flops", "params"))
)


def test_ranks_by_hand():
    # Ranks 1, 2, 3 of 3 and 2, 2, 2 (equal values share the mean rank).
    found = PAIR.of(np.array([[5.0, 6.0, 9.0], [4.0, 4.0, 4.0]]))
    third = np.log([1 / 3, 2 / 3, 1.0])
    assert found == pytest.approx(third + np.log(2 / 3))


def test_a_missing_value_is_the_worst_of_all():
    values = np.array([[np.nan, -1e9, 3.0, np.nan], [1.0, 2.0, 3.0, 4.0]])
    expected = np.log(np.array([1.5, 3, 4, 1.5]) / 4) + np.log(np.array([1, 2, 3, 4]) / 4)
    assert PAIR.of(values) == pytest.approx(expected)


def test_agreement_between_groups_weighs_by_hand():
    # The first agrees with one of the other group wholly, with the other by a half.
    ranks = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]])
    agreement = np.array([(1 + 0.5) / 2, 1, 0.5]) / np.array([1, 2, 2])
    assert WEIGHED.of(ranks) == pytest.approx(agreement @ np.log(ranks / 3))


def test_weights_are_those_of_the_formula():
    groups = [0, 1, 0, 2, 1]
    values = np.random.default_rng(0).normal(size=(5, 40)) + np.linspace(0, 2, 40)
    alike = stats.spearmanr(values, axis=1).statistic
    expected = [
        max(np.mean([alike[i][j] for j in range(5) if groups[j] != groups[i]]), 0)
        / groups.count(groups[i])
        for i in range(5)
    ]
    ranks = stats.rankdata(values, axis=1)
    assert combinations.weights(ranks, groups) == pytest.approx(np.array(expected))


def test_a_member_of_equal_values_has_no_weight():
    values = np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [1.0, 2.0, 3.0]])
    assert WEIGHED.of(values) == pytest.approx(np.log(np.array([1, 2, 3]) / 3))


def test_a_member_that_ranks_against_other_groups_has_no_weight():
    upright = [[1.0, 2.0, 3.0, 4.0]] * 2
    first, second = (
        WEIGHED.of(np.array([*upright, last])).argsort().tolist()
        for last in ([4.0, 3.0, 2.0, 1.0], [4.0, 3.0, 1.0, 2.0])
    )
    assert first == second == [0, 1, 2, 3]


def test_where_nothing_agrees_all_weigh_alike():
    values = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    assert WEIGHED.of(values) == pytest.approx(np.log(values / 3).sum(0))


@given(st.integers(0, 2**32 - 1))
def test_several_cohorts_at_once_are_each_what_they_are_alone(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(5, size=(3, 4, 6)).astype(float)
    together = WEIGHED.of(values)
    for cohort in range(4):
        assert together[cohort] == pytest.approx(WEIGHED.of(values[:, cohort]))


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=9, unique=True))
def test_only_ranks_count(numbers):
    values = np.array([numbers, numbers])
    stretched = np.array([np.arctan(numbers), numbers])
    if len(set(stretched[0])) == len(numbers):
        assert PAIR.of(stretched) == pytest.approx(PAIR.of(values))


def test_what_cannot_be_combined_is_said():
    with pytest.raises(BadArgument, match=r"got a cohort of 2 for .*'pair', expected at least 3"):
        PAIR.of(np.ones((2, 2)))
    with pytest.raises(BadArgument, match="'pair' needs params, which gave no"):
        PAIR.of(np.array([[1.0, 2.0, 3.0], [np.nan] * 3]))
    with pytest.raises(BadArgument, match="'one' of swap, expected two or more different proxies"):
        Combination("one", "One", ("swap",))
    for groups in ((("swap", "params"),), (("swap",), ("flops",)), (("swap",), ("swap", "params"))):
        with pytest.raises(BadArgument, match=r"got the groups .*'g', expected two or more that"):
            Combination("g", "G", ("swap", "params"), groups)


@pytest.mark.parametrize(
    "text", ["mine", "mine=swap", "mine=-swap", "=swap+params", "swap+params", "mine=swap+-params"]
)
def test_a_combination_in_another_form_is_refused(text):
    with pytest.raises(BadArgument, match="expected a name and its members, such as mine=swap"):
        read(text)


def test_names_of_combinations():
    assert read(" mine = swap + depth ").members == ("swap", "depth")
    with pytest.raises(BadArgument, match="named 'swap', as a proxy or combination is already"):
        read("swap=depth+params")
    with pytest.raises(BadArgument, match="got the proxy 'nope', expected one of"):
        read("mine=swap+nope")
    with pytest.raises(BadArgument, match=r"got the proxy 'nope'.* a combination .*az_nas"):
        requested(["swap", "nope"])
    with pytest.raises(BadArgument, match="two combinations of one name"):
        requested(["swap"], ["a=swap+params", "a=swap+depth"])


def test_a_combination_is_found_among_ours_and_the_users():
    assert find("az_nas") is combinations.get("az_nas")
    assert find("mine", ["other=swap+depth", "mine=swap+params"]).members == ("swap", "params")
    assert find("swap", ["mine=swap+params"]) is None
    with pytest.raises(BadArgument, match=r"got the proxy 'nope'.* of them: az_nas.*mine"):
        find("nope", ["mine=swap+params"])


def test_any_cohort_has_ranks_among_itself():
    assert PAIR.among(np.array([[1.0], [np.nan]])).tolist() == [0.0]
    found = PAIR.among(np.array([[1.0, 2.0, 3.0], [np.nan] * 3]))
    assert found == pytest.approx(np.log([1 / 3, 2 / 3, 1]) + np.log(2 / 3))


def test_members_are_scored_and_complete_combinations_come_by_themselves():
    scored, made = requested(["az_nas"])
    assert scored == combinations.get("az_nas").members
    assert "az_nas" in [one.name for one in made]
    assert requested(["swap", "params"])[1] == ()
    scored, made = requested(["params"], ["mine=swap+depth"])
    assert scored == ("params", "swap", "depth")
    assert [one.name for one in made] == ["mine"]
    assert "az_nas" in [one.name for one in requested(["default"])[1]]


def test_members_of_ours_are_proxies():
    for name in combinations.names():
        assert set(combinations.get(name).members) <= set(proxies.names())


def test_a_member_against_counts_the_other_way_round():
    combination = read("mine=flops+swap-snip")
    assert (combination.members, combination.against) == (("flops", "swap", "snip"), ("snip",))
    values = np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0], [5.0, 7.0, np.nan]])
    # Ranks 1, 2, 3; 2, 2, 2; and 3, 2 for the small and the large, 1 for none at all.
    expected = np.log([1 / 3, 2 / 3, 1]) + np.log(2 / 3) + np.log([1, 2 / 3, 1 / 3])
    assert combination.of(values) == pytest.approx(expected)
    assert combination.of(np.stack([values, values], 1)) == pytest.approx(np.stack([expected] * 2))


def test_the_first_member_can_count_against():
    assert read("mine=-snip+flops").against == ("snip",)


def test_what_counts_against_is_weighed_as_it_counts():
    both = Combination(
        "g", "G", ("flops", "snip"), groups=(("flops",), ("snip",)), against=("snip",)
    )
    values = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    assert both.of(values) == pytest.approx(2 * np.log([1 / 3, 2 / 3, 1]))


def test_what_cannot_count_against_is_said():
    with pytest.raises(BadArgument, match=r"got swap, params against .*and one more that counts"):
        Combination("g", "G", ("swap", "params"), against=("swap", "params"))
    with pytest.raises(BadArgument, match="got nope against in the combination"):
        Combination("g", "G", ("swap", "params"), against=("nope",))
