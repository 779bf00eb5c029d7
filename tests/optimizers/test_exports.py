"""What a search found, in the forms that other programs read."""

from __future__ import annotations

import csv
import json
import runpy
from dataclasses import replace

import numpy as np
import pytest
import yaml

from naslib_swap import spaces
from naslib_swap.optimizers.costs import Network
from naslib_swap.optimizers.native import search
from naslib_swap.optimizers.plan import SearchPlan
from naslib_swap.optimizers.result import code
from naslib_swap.score import count_parameters

PLAN = SearchPlan(
    "nasbench201", proxy="params", population=4, mutations=2, offspring=1, cycles=2, seed=1
)


@pytest.mark.parametrize("space", [*spaces.names()])
def test_the_python_file_builds_the_network(space, tmp_path):
    plan = SearchPlan(space).complete()
    arch = spaces.get(space).sample(np.random.default_rng(0))
    text = spaces.get(space).encode(arch)
    file = tmp_path / "network.py"
    file.write_text(code(plan.network(), text))
    made = runpy.run_path(str(file))["network"]
    from naslib_swap.spaces.networks import on_meta

    with on_meta():
        assert count_parameters(made()) == plan.network().parameters(arch)
        assert count_parameters(made(num_classes=7)) < plan.network().parameters(arch)


def test_the_variant_of_the_task_is_built():
    made = code(Network("transbench101_micro", "jigsaw", None, 1000), "(0, 0, 0, 0, 0, 0)")
    assert "VARIANT = 'jigsaw'" in made
    assert "in_channels=3" in made


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_autoformer_reads_its_own_yaml(size):
    space = spaces.get(f"autoformer_{size}")
    arch = space.sample(np.random.default_rng(0))
    text = space.exported(arch)["autoformer.yaml"]
    assert space.parse(text) == arch
    content = yaml.safe_load(text)
    network, supernet = content["RETRAIN"], content["SUPERNET"]
    # What AutoFormer's supernet_train.py takes from it.
    assert len(network["NUM_HEADS"]) == len(network["MLP_RATIO"]) == network["DEPTH"]
    assert network["EMBED_DIM"] in content["SEARCH_SPACE"]["EMBED_DIM"]
    assert max(network["NUM_HEADS"]) <= supernet["NUM_HEADS"]
    assert max(network["MLP_RATIO"]) <= supernet["MLP_RATIO"] == 4.0
    assert network["EMBED_DIM"] <= supernet["EMBED_DIM"]
    assert network["DEPTH"] <= supernet["DEPTH"] == max(content["SEARCH_SPACE"]["DEPTH"])
    assert (
        spaces.get("vitbench_autoformer").exported(
            spaces.get("autoformer_tiny").sample(np.random.default_rng(0))
        )
        == {}
    )


@pytest.mark.parametrize("space", ["darts", "nasbench301"])
def test_the_genotype_is_python(space, tmp_path):
    space = spaces.get(space)
    arch = space.sample(np.random.default_rng(0))
    (tmp_path / "genotype.py").write_text(space.exported(arch)["genotype.py"])
    found = runpy.run_path(str(tmp_path / "genotype.py"))["FOUND"]
    assert (tuple(found.normal), tuple(found.reduce)) == space.genotype(arch)
    assert list(found.normal_concat) == [2, 3, 4, 5]


def test_a_search_leaves_a_log_for_spreadsheets(tmp_path):
    plan = replace(PLAN, proxy="mine", combine=("mine=params+depth",), pareto=("score", "flops"))
    result = search(plan, out=tmp_path)
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(result.history)
    for row, one in zip(rows, result.state.history.values()):
        assert row["arch"] == one.arch
        assert float(row["depth"]) == pytest.approx(one.values["depth"], rel=1e-5)
        assert float(row["cost: flops"]) == pytest.approx(one.costs["flops"], rel=1e-5)
    written = json.loads((tmp_path / "result.json").read_text())
    assert written["objectives"] == ["score", "flops"]
    assert [one["arch"] for one in written["front"]] == [one.arch for one in result.front]
    assert written["naslib_spec"] == result.best.arch
    assert written["flops"] == result.best.costs["flops"]
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")
    assert result.best == result.front[0]
    score = replace(plan, pareto=("score", "flops", "params"))
    assert len(search(score, out=tmp_path / "three").front) >= 1
    assert (tmp_path / "three" / "front.png").exists()
