from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from naslib_swap import proxies, spaces
from naslib_swap.errors import SwapError
from naslib_swap.evaluation.compare import compare
from naslib_swap.evaluation.plan import Plan, plans_from_config
from naslib_swap.evaluation.planning import checked_together, study_of
from naslib_swap.options import config_names, plan_of
from naslib_swap.scoring.study import recipes_of


@pytest.fixture
def truth_file(genotypes, tmp_path: Path) -> str:
    path = tmp_path / "truth.csv"
    lines = [f'"{arch}",{90 + n}' for n, arch in enumerate(genotypes)]
    path.write_text("arch,val_accuracy\n" + "\n".join(lines) + "\n")
    return str(path)


def _darts(truth_file: str, **options) -> Plan:
    return Plan(**{"space": "darts", "truth_file": truth_file, "variant": "tiny", **options})


def test_a_plan_becomes_a_study(truth_file, genotypes):
    plan = _darts(truth_file, archs=5, proxies=("params", "reg_swap", "params"), seeds=2, samples=4)
    study, truth = study_of(plan)
    assert (study.space, study.task) == ("darts", "cifar10")
    assert {subject.variant for subject in study.subjects.values()} == {"tiny"}
    assert study.proxies == ("params", "reg_swap")
    assert study.seeds == (0, 1)
    assert len(set(study.subjects)) == 5
    assert set(study.subjects) <= set(genotypes)
    assert study.conditions.inputs.samples == 4
    assert 0 < study.conditions.settings["mu"] < 10  # thousands of parameters of tiny networks
    assert truth.source == "csv"
    assert study_of(plan)[0] == study


def test_all_architectures_and_all_proxies(truth_file, genotypes):
    study, _ = study_of(_darts(truth_file, archs=None))
    assert set(study.subjects) == set(genotypes)
    assert study.proxies == proxies.chosen(["default"])


def test_given_mu_and_sigma_are_taken(truth_file):
    study, _ = study_of(_darts(truth_file, archs=3, mu=2.0, sigma=3.0))
    assert (study.conditions.settings["mu"], study.conditions.settings["sigma"]) == (2.0, 3.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": "nasbench999"}, "got the search space 'nasbench999', expected one of "),
        ({"task": "mnist"}, "no task 'mnist' of search space 'darts'"),
        ({"proxies": ("swap", "swop")}, "got the proxy 'swop', expected one of .*swap"),
        ({"variant": "huge"}, "got variant 'huge', expected one of"),
        ({"seeds": 0}, "got seeds 0, expected at least 1"),
        ({"top": 0}, "got top 0, expected at least 1"),
        ({"repeats": -1}, "got repeats -1, expected at least 0"),
        ({"device": "warp"}, "cannot use the device 'warp': .* Expected cpu, or cuda"),
        ({"device": "meta"}, "cannot use the device 'meta': it holds no values"),
        ({"samples": 1}, "got samples 1, expected at least 2"),
        (
            {"space": "autoformer_tiny", "task": "imagenet", "variant": None, "resolution": 100},
            "got resolution 100, expected 16 or more pixels in steps of 16 for autoformer_tiny",
        ),
        ({"archs": 2}, "got 2 architectures to sample, expected between 3 and the 8"),
        ({"archs": 9}, "got 9 architectures to sample, expected between 3 and the 8"),
        ({"mu": 1.0}, "got mu=1.0 and sigma=None, expected both or neither"),
        ({"mu": 1.0, "sigma": -1.0}, "sigma > 0"),
        ({"rule": "guess"}, "got rule 'guess', expected one of largest"),
        ({"truth": "oracle"}, "got the source of accuracies 'oracle'"),
        ({"truth_file": "nowhere.csv"}, "nowhere.csv cannot be read"),
    ],
)
def test_impossible_plans_say_what_is_wrong(truth_file, options, message):
    with pytest.raises(SwapError, match=message):
        study_of(_darts(**{"truth_file": truth_file, "archs": 5, **options}))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_without_a_gpu_is_refused_before_anything_is_scored(truth_file):
    with pytest.raises(SwapError, match=r"cannot use the device 'cuda:0': .* where there is a GPU"):
        study_of(_darts(truth_file, archs=5, device="cuda:0"))


def test_a_cluster_may_have_the_device_that_this_machine_lacks(truth_file):
    there = _darts(truth_file, archs=5, device="cuda:63")
    assert study_of(there, elsewhere=True)[0].conditions.device == "cuda:63"
    with pytest.raises(SwapError, match="cannot use the device 'warp'"):
        study_of(replace(there, device="warp"), elsewhere=True)


def test_accuracies_that_are_all_equal_are_refused_before_anything_is_scored(truth_file):
    header, *lines = Path(truth_file).read_text().splitlines()
    same = [line.rsplit(",", 1)[0] + ",91" for line in lines]
    Path(truth_file).write_text("\n".join([header, *same]) + "\n")
    with pytest.raises(SwapError, match=r"got 5 architectures that all have the accuracy 91.*rank"):
        study_of(_darts(truth_file, archs=5))


def test_the_kind_of_device_belongs_to_the_recipe_of_a_score(truth_file):
    here, _ = study_of(_darts(truth_file, archs=5, proxies=("swap",)))
    there = replace(here, conditions=replace(here.conditions, device="cuda:1"))
    assert recipes_of(here)["swap", 0].device == "cpu"
    assert recipes_of(there)["swap", 0] == replace(recipes_of(here)["swap", 0], device="cuda")


def test_fewer_than_three_architectures_with_an_accuracy_are_refused(truth_file):
    lines = Path(truth_file).read_text().splitlines(keepends=True)
    Path(truth_file).write_text("".join(lines[:3]))
    with pytest.raises(SwapError, match=r"got 2 architectures with an accuracy in .*truth.csv, ex"):
        study_of(_darts(truth_file, archs=None))


def test_options_from_text():
    plan = plan_of(Plan, {"archs": "all", "proxies": "swap, params", "mu": 3}, "here")
    assert (plan.archs, plan.proxies, plan.mu) == (None, ("swap", "params"), 3)
    assert plan_of(Plan, {"archs": "17", "proxies": "all"}, "here").archs == 17
    assert plan_of(Plan, {"proxies": ["snip"]}, "here").proxies == ("snip",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arhcs": 5}, r"here: unknown option\(s\) arhcs, expected space, task"),
        ({"archs": "many"}, "here: got archs 'many', expected a whole number, or all"),
        ({"archs": 3.9}, "here: got archs 3.9, expected a whole number, or all"),
        ({"archs": "-4"}, "here: got archs '-4', expected a whole number, or all"),
        ({"archs": True}, "here: got archs True, expected a whole number, or all"),
        ({"proxies": " , "}, "expected at least one name, or all"),
        ({"proxies": []}, "expected at least one name, or all"),
        ({"seeds": "five"}, "here: got seeds 'five', expected int"),
        ({"seeds": True}, "here: got seeds True, expected int"),
        ({"space": 201}, "here: got space 201, expected str"),
        ({"proxies": 5}, "here: got proxies 5, expected names, or all"),
        ({"proxies": [1]}, "here: got proxies .1., expected names, or all"),
    ],
)
def test_options_of_the_wrong_kind_are_refused(options, message):
    with pytest.raises(SwapError, match=message):
        plan_of(Plan, options, "here")


def _yaml(tmp_path: Path, text: str) -> str:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    return str(path)


TWO = """
seeds: 3
tasks:
  - {space: nasbench201, task: cifar10}
  - {space: nasbench201, task: cifar100, seeds: 4, archs: all}
"""


def test_tasks_share_the_options_above_them(tmp_path):
    first, second = plans_from_config(_yaml(tmp_path, TWO))
    assert (first.task, first.seeds, first.archs) == ("cifar10", 3, 200)
    assert (second.task, second.seeds, second.archs) == ("cifar100", 4, None)


def test_what_is_given_wins_and_chooses(tmp_path):
    config = _yaml(tmp_path, TWO)
    plans = plans_from_config(config, {"archs": "7", "seeds": 1})
    assert [(p.task, p.archs, p.seeds) for p in plans] == [("cifar10", 7, 1), ("cifar100", 7, 1)]
    (only,) = plans_from_config(config, {"task": "cifar100"})
    assert (only.task, only.seeds) == ("cifar100", 4)
    with pytest.raises(
        SwapError, match=r"no task with space 'darts'; it holds nasbench201/cifar10"
    ):
        plans_from_config(config, {"space": "darts"})


def test_a_configuration_of_one_task_takes_other_spaces(tmp_path):
    (plan,) = plans_from_config(_yaml(tmp_path, "samples: 9"), {"space": "darts"})
    assert (plan.space, plan.samples) == ("darts", 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "holds list, expected options by name"),
        ("tasks: 5\n", "expected `tasks` to be a list of options by name"),
        ("tasks: []\n", "expected `tasks` to be a list of options by name"),
        ("tasks: [5]\n", "expected `tasks` to be a list of options by name"),
        ("seed: 5\n", r"unknown option\(s\) seed"),
        ("a: [\n", "cannot read the configuration"),
    ],
)
def test_a_configuration_that_is_none_says_why(tmp_path, text, message):
    with pytest.raises(SwapError, match=message):
        plans_from_config(_yaml(tmp_path, text))


def test_a_missing_configuration_names_the_packaged_ones():
    with pytest.raises(SwapError, match=r"cannot read .*figure5.* one of darts1000, figure4"):
        plans_from_config("figure5")


def test_packaged_configurations_hold_what_they_promise():
    assert config_names("table") == ("darts1000", "figure4", "ranking", "table4")
    plans = plans_from_config("figure4")
    assert len({p.space for p in plans}) == 5
    assert len(plans) == 19
    for plan in plans:
        spaces.get(plan.space).task(plan.task)
        assert (plan.seeds, plan.archs, plan.proxies[:2]) == (1, None, ("swap", "reg_swap"))
    assert {plan.task for plan in plans_from_config("table4")} == {*spaces.get("nasbench201").tasks}
    (darts,) = plans_from_config("darts1000")
    assert (darts.variant, darts.samples, darts.repeats, darts.archs) == ("tiny", 8, 32, None)


@pytest.mark.data
def test_figure_4_finds_its_accuracies_and_published_scores(data_dir):
    truths = [plan.accuracies() for plan in plans_from_config("figure4")]
    assert all(500 <= len(truth.accuracy) <= 725 for truth in truths)
    assert all({"snip", "params"} <= truth.proxies.keys() for truth in truths)


def test_the_same_task_twice_is_refused(truth_file):
    study, _ = study_of(_darts(truth_file, archs=3))
    with pytest.raises(SwapError, match="darts/cifar10 is there twice"):
        checked_together([study, study])


def test_a_subset_is_sampled_and_named():
    pytest.importorskip("analognasbench", reason="needs the analog extra")
    plan = Plan(subset="reachable", proxies=("params",), archs=30)
    study, truth = study_of(plan)
    assert len(truth.accuracy) == 9445
    assert set(study.subjects) <= set(truth.accuracy)
    outcome = compare(plan)[0]
    assert "30 of 9445 reachable architectures" in outcome.title
    assert outcome.table[["subset", "sampled_from"]].values.tolist() == [["reachable", 9445]]
    with pytest.raises(SwapError, match=r"there is no subset 'best' .*one of all, reachable"):
        study_of(replace(plan, subset="best"))
