from __future__ import annotations

import json
import os
import re
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naslib_swap import proxies, spaces
from naslib_swap.errors import SwapError
from naslib_swap.optimizers import search as steps
from naslib_swap.optimizers.costs import Cost
from naslib_swap.optimizers.evolution import Evolution
from naslib_swap.optimizers.fitness import Scored
from naslib_swap.optimizers.limits import Limit
from naslib_swap.optimizers.measuring import NetworkMeasure
from naslib_swap.optimizers.native import search
from naslib_swap.optimizers.plan import SearchPlan
from naslib_swap.proxies import Proxy
from naslib_swap.scoring import Architecture, Conditions, Images, dispatch, score
from naslib_swap.scoring.backends import Crew
from naslib_swap.scoring.execution import Workers
from naslib_swap.spaces.tied_cells import TiedCells

SMALL = SearchPlan(
    space="darts",
    population=4,
    mutations=2,
    offspring=1,
    samples=6,
    repeats=1,
    seed=3,
    cycles=2,
    adaptive=True,
)
TINY = replace(SMALL, space="nasbench201", samples=3, repeats=0, plain=True, adaptive=False)


def history(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / steps.HISTORY).read_text().splitlines()]


def test_darts_search_writes_everything(tmp_path):
    result = search(SMALL, out=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        steps.LOCK,
        "architecture.txt",
        "cells.png",
        "checkpoint.json",
        "curve.png",
        "genotype.py",
        "history.csv",
        "history.jsonl",
        "network.py",
        "report.html",
        "result.json",
    ]
    written = json.loads((tmp_path / "result.json").read_text())
    space = spaces.get("darts")
    arch = space.parse((tmp_path / "architecture.txt").read_text().strip())
    assert written["found"] == result.best.arch == space.encode(arch)
    assert [tuple(edge) for edge in written["architecture"]["normal"]] == list(arch[0])
    assert written["parameters"] == result.sizes
    assert result.sizes["cifar10"] == sum(
        p.numel() for p in space.build(arch, variant="cifar10").parameters()
    )
    assert result.sizes["search"] == space.parameters(arch, variant="tiny")
    assert written["scored"] == len(history(tmp_path)) == len(result.history)
    assert written["recipe"]["source"] == "natural"
    for picture in ("cells.png", "curve.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("space", ["nasbench101", "nasbench201", "transbench101_macro"])
def test_other_spaces(space, tmp_path):
    plan = replace(TINY, space=space, resolution=16, population=2, cycles=1)
    result = search(plan, out=tmp_path)
    written = json.loads((tmp_path / "result.json").read_text())
    assert written["found"] == result.best.arch
    assert (tmp_path / "cells.png").exists() == bool(
        spaces.get(space).cells(spaces.get(space).parse(result.best.arch))
    )
    assert result.sizes == {"search": round(1000 * result.best.size)}


@pytest.mark.parametrize("plan", [SMALL, TINY], ids=["darts", "nasbench201"])
@pytest.mark.usefixtures("no_drawings")
def test_scores_are_those_of_every_other_door(plan, tmp_path):
    result = search(plan, out=tmp_path)
    conditions = Conditions(
        Images(samples=plan.samples), {"repeats": plan.repeats, "batch_repeats": 1}
    )
    lines = history(tmp_path)
    assert len(lines) > 4
    for line in lines:
        subject = Architecture(plan.space, "cifar10", line["arch"], result.plan.variant)
        assert line["score"] == score(subject, ["swap"], conditions, seed=3)["swap"].value
        assert line["size"] == subject.parameters() / 1000


def test_a_measure_is_the_score_with_its_direction(monkeypatch):
    arch = TINY.complete().moves().sample(np.random.default_rng(0))
    measure = replace(TINY, proxy="params").complete().measure()
    size = measure.subject(arch).parameters()
    assert measure(arch) == Scored(size / 1e6, size / 1000)
    params = proxies.get("params")
    monkeypatch.setitem(proxies.PROXIES._found, "params", replace(params, higher_is_better=False))
    assert measure(arch) == Scored(-size / 1e6, size / 1000)


def _fails(probe):
    if probe.parameters > 500_000:
        raise SwapError("too large")
    return 1.0


@pytest.mark.usefixtures("no_drawings")
def test_an_architecture_without_a_score_does_not_end_a_search(tmp_path, monkeypatch):
    monkeypatch.setitem(proxies.PROXIES._found, "choosy", Proxy("choosy", "Choosy", _fails))
    result = search(replace(TINY, proxy="choosy", population=6), out=tmp_path)
    failed = [line for line in history(tmp_path) if "error" in line]
    assert failed
    assert {line["error"] for line in failed} == {"too large"}
    assert {line["arch"] for line in failed} == {one.arch for one in result.failures}
    assert not {one.arch for one in result.failures} & {one.arch for one in result.top}
    assert json.loads((tmp_path / "result.json").read_text())["failed"] == len(failed)
    measure = replace(TINY, proxy="choosy").complete().measure()
    bad = spaces.get("nasbench201").parse(failed[0]["arch"])
    message = f"choosy cannot score {failed[0]['arch']}: too large"
    with pytest.raises(SwapError, match=re.escape(message)):
        measure(bad)


SCORED = {}


def searched(plan, most, which):
    """Search with workers of which `most` are busy, and `which(count)` of these is ready next."""
    pending = []

    def submit(score_it, job):
        if job.subject.name not in SCORED:
            SCORED[job.subject.name] = score_it(job)
        pending.append((Future(), SCORED[job.subject.name]))
        return pending[-1][0]

    def one_comes(silent):
        future, records = pending.pop(which(len(pending)))
        future.set_result(records)

    measure = plan.measure().by(Crew(submit, most, look=one_comes))
    evolution = Evolution(plan.moves(), measure, plan.settings(), plan.seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch, "LOOK_SECONDS", 0)
        steps.run(evolution, cycles=10)
    return evolution.state


@pytest.mark.parametrize("in_flight", [1, 2, 4, 8])
@settings(deadline=None, max_examples=10)
@given(chance=st.randoms(use_true_random=False))
def test_what_comes_first_changes_nothing(in_flight, chance):
    plan = replace(TINY, proxy="params", in_flight=in_flight).complete()
    found = searched(plan, chance.randint(1, 40), chance.randrange)
    assert found == searched(plan, 1, lambda count: 0)


@pytest.mark.slow  # each worker imports torch
def test_workers_change_nothing(tmp_path):
    plan = replace(SMALL, in_flight=2)
    alone = search(plan, out=tmp_path / "alone")
    histories = [(tmp_path / "alone" / "history.jsonl").read_bytes()]
    ways = [("loky", 2), ("loky", 3), *[("dask", 2)] * (find_spec("distributed") is not None)]
    for backend, workers in ways:
        folder = tmp_path / f"{backend}{workers}"
        execution = Workers(workers=workers, backend=backend)
        # Cut off after one cycle, and resumed.
        search(replace(plan, cycles=1), out=folder, execution=execution)
        together = search(plan, out=folder, execution=execution, resume=True)
        assert alone.state == together.state
        histories.append((folder / "history.jsonl").read_bytes())
    assert len(set(histories)) == 1


def _dies_once(mark, probe):
    """Kill the first worker that comes."""
    try:
        Path(mark).touch(exist_ok=False)
    except FileExistsError:
        return float(probe.parameters)
    os._exit(9)


def _dies(probe):
    if probe.parameters > 700_000:
        os._exit(9)
    return float(probe.parameters)


@pytest.fixture
def deadly(monkeypatch, tmp_path):
    """Proxies that kill their workers; they travel to these as those added by hand."""
    mark = tmp_path / "mark"
    for name, compute in (("dies_once", partial(_dies_once, str(mark))), ("dies", _dies)):
        proxy = Proxy(name, "Deadly", compute)
        monkeypatch.setitem(proxies.PROXIES._found, name, proxy)
        monkeypatch.setitem(proxies.PROXIES._by_hand, name, proxy)
    return mark


@pytest.mark.slow  # each worker imports torch
def test_a_dead_worker_costs_nothing(deadly, tmp_path):
    plan = replace(TINY, proxy="dies_once", cycles=1)
    died = search(plan, out=tmp_path / "died", execution=Workers(workers=2))
    assert deadly.exists()
    calm = search(plan, out=tmp_path / "calm")  # the mark is there: nobody dies
    assert died.state == calm.state
    assert not died.failures


@pytest.mark.slow  # each worker imports torch
def test_an_architecture_that_kills_twice_has_failed(deadly, tmp_path):
    plan = replace(TINY, proxy="dies", cycles=0, population=8)
    result = search(plan, out=tmp_path, execution=Workers(workers=2))
    assert len(result.top) == 8
    assert result.failures
    assert {one.error for one in result.failures} == {
        "TerminatedWorkerError: the worker died, killed or out of memory"
    }


def test_tied_cells_stay_tied_and_differ_after_a_mutation():
    space, rng = TiedCells(spaces.get("darts")), np.random.default_rng(1)
    arch = space.sample(rng)
    for _ in range(50):
        mutant = space.mutate(arch, rng)
        assert mutant[0] == mutant[1]
        assert mutant != arch
        assert sum(x != y for x, y in zip(arch[0], mutant[0])) == 1
        other = space.sample(rng)
        child = space.crossover(arch, other, rng)
        assert child[0] == child[1]
        assert space.canonical(child)[0] == space.canonical(child)[1]
        arch = mutant


def test_cells_are_free_where_both_are_scored():
    space, rng = replace(SMALL, variant="cifar10").moves(), np.random.default_rng(0)
    assert any(normal != reduction for normal, reduction in (space.sample(rng) for _ in range(5)))


def test_size_limits_hold_for_every_architecture_scored():
    limit = 2_600_000
    result = search(replace(SMALL, max_params=limit))
    space = spaces.get("darts")
    for key in result.history["arch"]:
        assert space.parameters(space.parse(key), variant="cifar10") <= limit


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_params": 1000}, "random darts architectures has at most 1,000 parameters; they had"),
        ({"min_params": 10**8}, "at least 100,000,000 parameters"),
        ({"min_params": 5, "max_params": 4}, "got 5 as the fewest parameters and 4 as the most"),
    ],
)
def test_impossible_size_window(limits, message, tmp_path):
    with pytest.raises(SwapError, match=message):
        search(replace(SMALL, **limits), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_limit_without_bounds_admits_what_is_known():
    assert Limit(Cost("params", "parameters", lambda arch: 7))("anything")
    assert not Limit(Cost("params", "parameters", lambda arch: float("nan")))("anything")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"proxy": "imaginary"}, "imaginary"), ({"inputs": "imaginary"}, "imaginary")],
)
def test_impossible_plans_write_nothing(change, message, tmp_path):
    with pytest.raises(SwapError, match=message):
        search(replace(SMALL, **change), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_drawings")
def test_resuming_needs_the_same_plan(tmp_path):
    search(SMALL, out=tmp_path)
    before = (tmp_path / "checkpoint.json").read_bytes()
    for change, difference in (
        ({"space": "nasbench201"}, "space: 'darts' there, 'nasbench201' here"),
        ({"seed": 4}, "seed: 3 there, 4 here"),
        ({"samples": 8}, "recipe.samples: 6 there, 8 here"),
        ({"repeats": 2}, "recipe.settings.repeats: 1 there, 2 here"),
        ({"population": 5}, "settings.population: 4 there, 5 here"),
    ):
        message = f"belongs to another search ({difference})"
        with pytest.raises(SwapError, match=re.escape(message)):
            search(replace(SMALL, **change), out=tmp_path, resume=True)
    with pytest.raises(SwapError, match="holds a search already"):
        search(SMALL, out=tmp_path)
    assert (tmp_path / "checkpoint.json").read_bytes() == before


@pytest.mark.usefixtures("no_drawings")
def test_resuming_with_more_cycles_equals_one_long_search(tmp_path):
    search(replace(TINY, cycles=1), out=tmp_path / "parts")
    search(replace(TINY, cycles=4), out=tmp_path / "parts", resume=True)
    search(replace(TINY, cycles=4), out=tmp_path / "whole")
    parts, whole = ((tmp_path / n / "history.jsonl").read_bytes() for n in ("parts", "whole"))
    assert parts == whole


def test_resuming_needs_a_folder():
    with pytest.raises(SwapError, match="resuming needs the folder"):
        search(SMALL, resume=True)


@pytest.mark.usefixtures("no_drawings")
def test_the_same_images_elsewhere_are_the_same_search(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, size=(4, 32, 32, 3), dtype=np.uint8)
    for name in ("here.npz", "there.npz"):
        np.savez(tmp_path / name, images=images, labels=np.arange(4))
    plan = replace(TINY, inputs=str(tmp_path / "here.npz"))
    search(plan, out=tmp_path / "out")
    moved = replace(plan, inputs=str(tmp_path / "there.npz"), cycles=3)
    assert search(moved, out=tmp_path / "out", resume=True).state.cycle == 3


@pytest.mark.usefixtures("no_drawings")
def test_two_searches_do_not_share_a_folder(tmp_path):
    with steps.alone(tmp_path):
        with pytest.raises(SwapError, match="another search is writing to"):
            search(TINY, out=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [steps.LOCK]
    search(replace(TINY, cycles=0), out=tmp_path)


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SwapError, match=r"cannot write to .*file"):
        search(TINY, out=tmp_path / "file")


def test_a_measure_by_hand_takes_what_every_door_takes():
    measure = NetworkMeasure(
        "nasbench201", "cifar10", conditions=TINY.complete().conditions(["swap"])
    )
    arch = spaces.get("nasbench201").parse("(0, 2, 3, 2, 3, 1)")
    subject = Architecture("nasbench201", "cifar10", "(0, 2, 3, 2, 3, 1)")
    found = score(subject, ["swap"], measure.conditions)["swap"]
    assert measure(arch).score == found.value
