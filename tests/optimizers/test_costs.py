"""What networks cost, by hand and by table; limits; latencies that are measured once."""

from __future__ import annotations

import gzip
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from naslib_swap import spaces
from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.optimizers import latency, native
from naslib_swap.optimizers.costs import Cost, Network, costs
from naslib_swap.optimizers.latency import Latencies, limit, milliseconds, read_table
from naslib_swap.optimizers.limits import Limit, Limits
from naslib_swap.optimizers.native import search
from naslib_swap.optimizers.plan import SearchPlan

pytestmark = pytest.mark.usefixtures("no_drawings")
SPACE = spaces.get("nasbench201")
PLAN = SearchPlan(
    "nasbench201", proxy="params", population=4, mutations=2, offspring=1, cycles=2, seed=1
)
SKIPS, CONVOLUTIONS = "(0, 0, 0, 0, 0, 0)", "(2, 2, 2, 2, 2, 2)"


def table_of(tmp_path, rows, name="latencies.csv"):
    path = tmp_path / name
    path.write_text("arch,phone_latency,phone_energy\n" + "\n".join(rows) + "\n")
    return path


def test_multiply_accumulates_are_those_of_the_network_to_be_trained():
    network = Network("nasbench201", "cifar10", None, 10)
    # Stem, two residual blocks with shortcuts, classifier: what has no cells.
    frame = 9 * 3 * 16 * 32**2
    for width, side in ((32, 16), (64, 8)):
        frame += side**2 * (9 * width // 2 * width + 9 * width**2 + width // 2 * width)
    frame += 64 * 10
    assert network.multiply_accumulates(SPACE.parse(SKIPS)) == frame
    # One 3x3 convolution in each of 15 cells costs the same in every stage.
    one = network.multiply_accumulates(SPACE.parse("(0, 0, 2, 0, 0, 0)"))
    assert one - frame == 15 * 9 * 16**2 * 32**2


@pytest.mark.parametrize("space", ["nasbench201", "autoformer_small", "vitbench_autoformer"])
def test_formulas_count_what_runs(space):
    rng = np.random.default_rng(0)
    for task in list(spaces.get(space).tasks)[-2:]:
        network = SearchPlan(space, task=task).complete().network()
        for _ in range(2):
            arch = spaces.get(space).sample(rng)
            assert network.multiply_accumulates(arch) == network.counted(arch)


@pytest.mark.parametrize("space", ["darts", "pit", "autoformer_tiny", "transbench101_macro"])
def test_counting_builds_no_weights_and_draws_nothing(space):
    network = SearchPlan(space).complete().network()
    arch = spaces.get(space).sample(np.random.default_rng(0))
    before = torch.random.get_rng_state()
    assert network.multiply_accumulates(arch) > 1e6
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_cost_is_counted_once_for_all_notations(monkeypatch):
    asked = []

    def counted(self, arch):
        asked.append(arch)
        return 5

    monkeypatch.setattr(Network, "multiply_accumulates", counted)
    cost = costs(Network("nasbench201", "cifar10", None, 10), ("flops",), latencies({}))[0]
    # Nodes 1 and 2 change places.
    a, b = SPACE.parse("(2, 0, 4, 1, 0, 3)"), SPACE.parse("(0, 2, 4, 1, 3, 0)")
    assert SPACE.canonical(a) == SPACE.canonical(b)
    assert (cost.of(a), cost.of(b), len(asked)) == (5, 5, 1)


def latencies(table, **more):
    return Latencies("nasbench201", table, SPACE.build, (3, 32, 32), **more)


def test_limits_are_read():
    assert limit("raspi4:20") == ("raspi4", 20.0)
    for wrong in ("raspi4", ":5", "cpu:", "cpu:fast", "cpu:0", "cpu:nan", "cpu:inf"):
        with pytest.raises(BadArgument, match="such as raspi4:20 or cpu:5"):
            limit(wrong)


def test_a_table_of_latencies_is_read(tmp_path):
    path = table_of(tmp_path, [f'"{SKIPS}",2.5,9', f'"{CONVOLUTIONS}",-1,9', '"(1,1,1,1,1,1)",,'])
    assert read_table("nasbench201", path) == {"phone": {SKIPS: 2.5}}
    packed = tmp_path / "latencies.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_table("nasbench201", packed) == read_table("nasbench201", path)
    bare = tmp_path / "bare.csv"
    bare.write_text("arch,latency\n1,2\n")
    with pytest.raises(BadFile, match="expected a column arch and columns such as raspi4_latency"):
        read_table("nasbench201", bare)


def test_a_device_without_a_table_is_refused_before_scoring(tmp_path):
    with pytest.raises(BadArgument, match=r"got the device 'phone', .*phone_latency"):
        search(replace(PLAN, max_latency=("phone:3",)), out=tmp_path / "out")
    with pytest.raises(BadArgument, match="got the device 'phone'"):
        search(replace(PLAN, pareto=("score", "latency:phone")), out=tmp_path / "out")
    with pytest.raises(BadArgument, match="got the cost 'size', expected params, flops or latency"):
        search(replace(PLAN, pareto=("score", "size")), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_search_keeps_to_a_table_of_latencies(tmp_path):
    rng = np.random.default_rng(0)
    archs = {SPACE.encode(SPACE.sample(rng)) for _ in range(1500)}
    ms = {arch: 1 + len(set(arch)) % 3 + 10 * ("(2" in arch) for arch in sorted(archs)}
    path = table_of(tmp_path, [f'"{arch}",{value},1' for arch, value in ms.items()])
    plan = replace(PLAN, latency_file=str(path), max_latency=("phone:5",), cycles=5)
    result = search(plan, out=tmp_path / "out")
    assert len(result.history) > 10
    for one in result.state.history.values():
        assert one.costs == {"latency:phone": ms[one.arch]}
        assert one.costs["latency:phone"] <= 5
    assert not (tmp_path / "out" / native.LATENCIES).exists()


def test_the_same_table_elsewhere_is_the_same_search(tmp_path):
    rows = [f'"{SPACE.encode(SPACE.sample(np.random.default_rng(i)))}",1,1' for i in range(800)]
    here, there = table_of(tmp_path, rows), table_of(tmp_path, rows, "there.csv")
    plan = replace(PLAN, latency_file=str(here), max_latency=("phone:5",))
    search(plan, out=tmp_path / "out")
    again = replace(plan, latency_file=str(there))
    search(again, out=tmp_path / "out", resume=True)
    table_of(tmp_path, rows[:-1])
    with pytest.raises(BadArgument, match=r"belongs to another search \(latencies"):
        search(plan, out=tmp_path / "out", resume=True)


def test_measured_latencies_are_kept_and_used_again(tmp_path, monkeypatch):
    clock = iter(range(1, 1000))
    monkeypatch.setattr(latency, "milliseconds", lambda *_: float(next(clock)))
    plan = replace(PLAN, pareto=("score", "latency:cpu"))
    search(replace(plan, cycles=1), out=tmp_path / "parts")
    lines = (tmp_path / "parts" / native.LATENCIES).read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    assert [one["ms"] for one in kept] == list(range(1, len(kept) + 1))
    search(plan, out=tmp_path / "parts", resume=True)
    clock = iter(range(1, 1000))
    search(plan, out=tmp_path / "whole")
    for name in ("history.jsonl", native.LATENCIES):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_kill_while_a_latency_is_written_costs_that_one_alone(tmp_path):
    path = tmp_path / "latencies.jsonl"
    whole = json.dumps({"device": "cpu", "arch": SKIPS, "ms": 4.5}) + "\n"
    path.write_text(whole + '{"device": "cpu", "ar')
    found = latencies({})
    found.recall(path)
    found.keep(path)
    assert found.of("cpu", SPACE.parse(SKIPS)) == 4.5
    assert path.read_text() == whole
    path.write_text("nonsense\n" + whole)
    with pytest.raises(BadFile, match="line 1 is damaged"):
        latencies({}).recall(path)
    assert path.read_text() == "nonsense\n" + whole


def test_a_pass_is_measured_in_milliseconds():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    assert 0 < milliseconds(net, (3, 2, 2), "cpu") < 1000


def test_a_network_that_no_table_knows_is_not_admitted():
    cost = Cost("latency:phone", "ms on phone", lambda arch: math.nan)
    assert not Limit(cost)("anything")
    with pytest.raises(BadArgument, match=r"has a known cost in ms on phone"):
        Limits((Limit(cost, None, 3.0),)).check(SPACE, np.random.default_rng(0))


def test_limits_that_nothing_meets_together_are_named():
    params = costs(Network("nasbench201", "cifar10", None, 10), ("params",), latencies({}))[0]
    few = Limit(params, None, 300_000)
    large = Limit(Cost("bytes", "bytes", lambda arch: 4 * SPACE.parameters(arch)), 4_000_000)
    rng = np.random.default_rng(0)
    Limits((few,)).check(SPACE, rng)
    message = "has at most 300,000 parameters and at least 4,000,000 bytes together"
    with pytest.raises(BadArgument, match=re.escape(message)):
        Limits((few, large)).check(SPACE, rng)
