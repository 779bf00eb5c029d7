from __future__ import annotations

import re
from dataclasses import replace

import pytest

from naslib_swap import combinations, spaces
from naslib_swap.errors import BadArgument
from naslib_swap.optimizers.costs import costs
from naslib_swap.optimizers.evolution import EvolutionSettings
from naslib_swap.optimizers.fitness import SizeWeighting
from naslib_swap.optimizers.plan import SearchPlan
from naslib_swap.options import plan_of
from naslib_swap.scoring.conditions import regularisation_of


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ("darts", ("cifar10", "tiny", 16, 8)),
        ("nasbench201", ("cifar10", None, 16, 0)),
        ("transbench101_micro", ("class_scene", None, 16, 0)),
    ],
)
def test_what_is_left_open_comes_from_the_space(space, expected):
    plan = SearchPlan(space=space).complete()
    assert (plan.task, plan.variant, plan.samples, plan.repeats) == expected
    assert plan.complete() == plan


def test_what_is_given_stays():
    plan = SearchPlan(space="darts", task="imagenet", variant="cifar10", samples=4, repeats=0)
    assert plan.complete() == plan


def test_every_space_can_be_searched():
    for name in spaces.names():
        plan = SearchPlan(space=name).complete()
        plan.check()
        assert plan.moves().name == name


def test_default_weightings():
    assert SearchPlan().complete().weighting() == SizeWeighting("adaptive")
    other = SearchPlan("nasbench201").complete().weighting()
    rule = regularisation_of("nasbench201", "cifar10")  # as for reg_swap at every other door
    assert other == SizeWeighting("fixed", rule.mu, rule.sigma)
    assert other.rule == "largest"
    assert SearchPlan("nasbench201", proxy="params").complete().weighting().mode == "none"


@pytest.mark.parametrize(
    ("options", "weighting"),
    [
        ({"mu": 0.9, "sigma": 1.1}, SizeWeighting("fixed", 0.9, 1.1)),
        ({"adaptive": True}, SizeWeighting("adaptive")),
        ({"plain": True}, SizeWeighting("none")),
        ({"rule": "mean-square", "proxy": "params"}, None),
    ],
)
def test_weightings_asked_for(options, weighting):
    if weighting is None:
        rule = regularisation_of("nasbench201", "cifar10", rule="mean-square")
        weighting = SizeWeighting("fixed", rule.mu, rule.sigma)
    assert SearchPlan("nasbench201", **options).complete().weighting() == weighting


def test_settings_are_those_of_the_evolution():
    plan = SearchPlan(population=7, sample=3, mutations=2, offspring=4, crossover=0.1, plain=True)
    expected = EvolutionSettings(7, 3, 2, 4, 0.1, "worst", SizeWeighting("none"))
    assert replace(plan, in_flight=3).complete().settings() == replace(expected, in_flight=3)
    assert plan.complete().settings() == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": "macro"}, "got the search space 'macro'"),
        ({"task": "moon"}, "there is no task 'moon' of search space 'darts'"),
        ({"proxy": "imaginary"}, "got the proxy 'imaginary'"),
        ({"variant": "huge"}, "got variant 'huge', expected one of cifar10, imagenet, tiny"),
        ({"samples": 1}, "got samples 1"),
        ({"mu": 1.0}, "got mu=1.0, sigma=None, expected both"),
        ({"mu": 1.0, "sigma": 1.0, "adaptive": True}, "give either --mu and --sigma, or --rule"),
        ({"rule": "smallest"}, "got rule 'smallest'"),
        ({"proxy": "grasp", "adaptive": True}, "grasp cannot be weighed by size"),
        ({"proxy": "synflow", "mu": 1.0, "sigma": 1.0}, "synflow cannot be weighed by size"),
        ({"proxy": "reg_swap"}, "give --proxy swap with --mu and --sigma"),
        ({"proxy": "reg_params"}, "give --proxy params with --mu and --sigma"),
        ({"proxy": "imaginary"}, "or a combination of them: az_nas"),
        (
            {"proxy": "az_nas", "adaptive": True},
            "got size weighting 'adaptive' for the combination",
        ),
        ({"proxy": "az_nas", "mu": 1.0, "sigma": 1.0}, "Make flops or params one of its members"),
        ({"proxy": "az_nas", "population": 2}, "expected at least 3 members for the combination"),
        ({"proxy": "mine"}, "got the proxy 'mine'"),
        ({"proxy": "mine", "combine": ("mine=swap+nope",)}, "got the proxy 'nope'"),
        ({"proxy": "mine", "combine": ("mine=swap",)}, "expected a name and its members"),
        ({"combine": ("mine=swap+params",)}, "and --proxy swap, expected the combination to guide"),
        ({"population": 1}, "got population 1"),
        ({"sample": 99}, "got sample 99"),
    ],
)
def test_plans_that_cannot_be_met(options, message):
    with pytest.raises(BadArgument, match=re.escape(message)):
        SearchPlan(**options).complete().check()


def test_a_combination_guides_by_its_members():
    plan = SearchPlan(proxy="mine", combine=("mine=swap+ntk",)).complete()
    plan.check()
    assert plan.scored() == ("swap", "ntk")
    assert plan.weighting() == SizeWeighting("none")
    assert plan.settings().combination.members == ("swap", "ntk")
    assert SearchPlan(proxy="az_nas").combination() == combinations.get("az_nas")
    assert SearchPlan().combination() is None
    assert SearchPlan().scored() == ("swap",)


def test_renamed_options_name_their_successors():
    with pytest.raises(BadArgument, match="search: image_path is now called inputs_path"):
        plan_of(SearchPlan, {"image_path": "x"}, "search")


def test_networks_of_an_architecture():
    plan = SearchPlan().complete()
    space = spaces.get("darts")
    arch = space.parse(space.example)
    sizes = {name: plan.count(arch, *network) for name, network in plan.networks().items()}
    assert list(sizes) == ["search", "cifar10", "imagenet"]
    assert sizes["cifar10"] == 3_349_342
    assert sizes["search"] < 3000 < sizes["cifar10"] < sizes["imagenet"]
    assert list(replace(plan, task="imagenet").networks()) == ["search", "imagenet", "cifar10"]


def test_limits_mean_the_network_to_be_trained_for_the_task():
    space = spaces.get("darts")
    arch = space.parse(space.example)
    trained = space.parameters(arch, variant="imagenet", num_classes=1000)
    plan = SearchPlan(task="imagenet", max_params=trained).complete()
    assert limits(plan)(arch)
    assert not limits(replace(plan, max_params=trained - 1))(arch)
    other = SearchPlan("nasbench201", task="cifar100").complete()
    tiny = spaces.get("nasbench201").parse("(0, 0, 0, 0, 0, 0)")
    scored = spaces.get("nasbench201").parameters(tiny, num_classes=100)
    assert limits(replace(other, min_params=scored))(tiny)
    assert not limits(replace(other, min_params=scored + 1))(tiny)
    assert limits(other).limits == ()


def limits(plan):
    found = costs(plan.network(), plan.looks_at(), plan.latencies())
    return plan.limits({cost.name: cost for cost in found})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_flops": 0.0}, "got 0 as the most multiply-accumulates"),
        ({"max_latency": ("raspi4",)}, "got the latency limit 'raspi4', expected a device and"),
        ({"max_latency": ("cpu:-1",)}, "got the latency limit 'cpu:-1'"),
        ({"max_latency": ("cpu:1", "cpu:2")}, "two limits on the latency on cpu"),
        ({"latency_file": "table.csv"}, "got --latency-file without a device"),
        ({"max_latency": ("cpu:9",), "in_flight": 2}, "--in-flight 2 and latencies measured here"),
        ({"pareto": ("score",)}, "got the objectives score, expected two or more"),
        ({"pareto": ("params", "flops")}, "expected score among them"),
        ({"pareto": ("score", "params"), "removal": "oldest"}, "got removal 'oldest' with several"),
        ({"pareto": ("score", "params"), "finalists": 5}, "a front has no single best"),
        ({"finalists": 1}, "got finalists 1"),
        ({"final": ("imaginary",)}, "got the proxy 'imaginary'"),
        ({"finalists": 5, "final_samples": 1}, "got final samples 1"),
        ({"final_draws": 4}, "without --finalists, expected --finalists too"),
    ],
)
def test_what_contradicts_itself_is_said_in_one_sentence(change, message):
    with pytest.raises(BadArgument, match=re.escape(message)):
        replace(SearchPlan("nasbench201"), **change).complete().check()


def test_costs_come_in_the_order_of_their_work():
    plan = SearchPlan(
        "nasbench201",
        max_latency=("cpu:5", "raspi4:20"),
        max_flops=1e8,
        pareto=("score", "latency:fpga", "params"),
    )
    assert plan.looks_at() == ("params", "latency:raspi4", "latency:fpga", "flops", "latency:cpu")
    assert plan.devices() == ("raspi4", "fpga", "cpu")


def test_size_weighs_once_in_a_pareto_search():
    assert SearchPlan(pareto=("score", "params")).complete().weighting() == SizeWeighting("none")
    told = SearchPlan(pareto=("score", "params"), adaptive=True).complete()
    assert told.weighting() == SizeWeighting("adaptive")
