"""An unmodified NASLib checkout, its runners started as a user starts them.

Needs NASLib's short list of packages (docs/naslib.md), the plugin's start-up file and a checkout;
the tables come from NASLIB_SWAP_DATA.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from naslib_swap import spaces
from naslib_swap.plugin import hook

pytestmark = [
    pytest.mark.naslib,
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("fvcore") is None, reason="fvcore is missing"),
    pytest.mark.skipif(not hook.is_installed(), reason="the start-up file is not installed"),
]

STORED = [
    *("fisher", "grasp", "grad_norm", "jacov", "snip", "synflow"),
    *("flops", "params", "nwot", "plain", "l2_norm", "epe_nas"),
]
TASKS = {
    "nasbench101": "cifar10",
    "nasbench201": "cifar10",
    "nasbench301": "cifar10",
    "transbench101_micro": "class_scene",
    "transbench101_macro": "class_scene",
}


def run(
    root: Path, cwd: Path, runner: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess:
    script = root / "naslib" / "runners" / runner / "runner.py"
    env = {**os.environ, "NASLIB_SWAP_CACHE": str(cwd / "cache"), **environment}
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env,
        check=False,
    )


def scores(cwd: Path, space: str, dataset: str, predictor: str, seed: int = 0) -> dict:
    path = cwd / "run" / "zc_example" / space / dataset / predictor / str(seed) / "scores.json"
    return json.loads(path.read_text())[1]


@pytest.mark.parametrize(
    ("predictor", "arguments"),
    [
        ("swap", ["--predictor", "swap"]),
        ("reg_swap", ["predictor", "reg_swap"]),
    ],
)
def test_the_zero_cost_runner(naslib_root, data_dir, tmp_path, predictor, arguments):
    result = run(naslib_root, tmp_path, "zc", *arguments, "--test_size", "20")
    assert result.returncode == 0, result.stderr
    assert math.isfinite(scores(tmp_path, "nasbench201", "cifar10", predictor)["kendalltau"])


@pytest.mark.parametrize("predictor", STORED)
def test_naslibs_own_predictors_keep_their_values(naslib_root, data_dir, tmp_path, predictor):
    result = run(naslib_root, tmp_path, "zc", "predictor", predictor, "--seed", "7")
    assert result.returncode == 0, result.stderr
    found = scores(tmp_path, "nasbench201", "cifar10", predictor, 7)
    table = json.loads((data_dir / "naslib" / "zc_nasbench201.json").read_text())["cifar10"]
    # NASLib's search space draws from Python's generator while it is built: which rows are drawn is
    # NASLib's business, that they are the table's is ours.
    rows = {(entry[predictor]["score"], entry["val_accuracy"]) for entry in table.values()}
    drawn = list(zip(found["full_testpred"], found["full_ytest"]))
    assert len(drawn) == 200
    assert set(drawn) <= rows
    assert math.isfinite(found["kendalltau"])


@pytest.mark.parametrize("space", sorted(TASKS))
def test_all_five_spaces(naslib_root, data_dir, tmp_path, space):
    arguments = ["--search_space", space, "--test_size", "3", "--dataset", TASKS[space]]
    result = run(naslib_root, tmp_path, "zc", "--predictor", "swap", *arguments)
    assert result.returncode == 0, result.stderr
    found = scores(tmp_path, space, TASKS[space], "swap")
    assert all(score > 1 for score in found["full_testpred"])


@pytest.mark.parametrize("space", sorted(TASKS))
def test_native_networks_have_naslibs_size(naslib_root, data_dir, tmp_path, space):
    """Where NASLib builds the network itself, both have the same number of parameters."""
    code = f"""
import json
import numpy as np
from naslib.search_spaces import get_search_space
from naslib_swap import spaces
space = spaces.get({space!r})
task = space.task({TASKS[space]!r})
arch = space.sample(np.random.default_rng(1))
graph = get_search_space({space!r}, {TASKS[space]!r})
import ast
graph.set_spec(ast.literal_eval(space.encode(arch)))
graph.parse()
sizes = [sum(v.numel() for n, v in graph.named_parameters() if "auxiliary" not in n)]
sizes.append(space.parameters(arch, variant=task.variant, num_classes=task.num_classes))
print(json.dumps(sizes))
"""
    env = {**os.environ, "PYTHONPATH": str(naslib_root)}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False
    )
    if "pip install nasbench_pytorch" in result.stderr or "install torchvision" in result.stderr:
        pytest.skip("NASLib cannot build this network here: " + result.stderr.splitlines()[-1])
    assert result.returncode == 0, result.stderr
    own, native = json.loads(result.stdout.splitlines()[-1])
    assert own == native


def test_the_score_of_a_graph_is_that_of_the_library(naslib_root, tmp_path):
    code = """
import json
from naslib.predictors import ZeroCost
from naslib.search_spaces import get_search_space
from naslib_swap.scoring import Architecture, score
names = ["swap", "reg_swap", "depth", "zico"]
graph = get_search_space("nasbench201", "cifar10")
graph.set_spec((1, 1, 2, 1, 1, 1))
found = score(Architecture("nasbench201", "cifar10", "(1, 1, 2, 1, 1, 1)"), names)
print(json.dumps([[ZeroCost(name).query(graph), found[name].value] for name in names]))
"""
    env = {**os.environ, "PYTHONPATH": str(naslib_root), "NASLIB_SWAP_CACHE": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False
    )
    assert result.returncode == 0, result.stderr
    assert all(own == other for own, other in json.loads(result.stdout.splitlines()[-1]))


def test_a_packaged_configuration(naslib_root, data_dir, tmp_path):
    arguments = ["--config-file", "configs/zc/nasbench201_cifar100.yaml", "--test_size", "3"]
    result = run(naslib_root, tmp_path, "zc", *arguments)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run/zc/nasbench201/cifar100/swap/0/scores.json").is_file()


def test_a_missing_table_says_what_to_run(naslib_root, tmp_path):
    result = run(naslib_root, tmp_path, "zc", "predictor", "swap", NASLIB_SWAP_DATA="")
    if (naslib_root / "naslib" / "data" / "zc_nasbench201.json").is_file():
        pytest.skip("the checkout has the table")
    assert result.returncode == 2
    assert "naslib-swap data fetch zc-nasbench201" in result.stderr
    assert "Traceback" not in result.stderr


def test_switched_off_naslib_is_as_it_was(naslib_root, tmp_path):
    result = run(naslib_root, tmp_path, "zc", "--predictor", "swap", NASLIB_SWAP_DISABLE="1")
    assert result.returncode != 0
    assert "naslib_swap" not in result.stderr


def test_every_space_is_a_native_one():
    assert set(TASKS) <= set(spaces.names())
