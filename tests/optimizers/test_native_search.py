from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from naslib_swap import inputs, spaces
from naslib_swap.errors import SwapError
from naslib_swap.optimizers import search
from naslib_swap.optimizers.evolution import EvolutionSettings
from naslib_swap.optimizers.fitness import SizeWeighting
from naslib_swap.optimizers.measuring import NetworkMeasure, architecture_seed, workers
from naslib_swap.optimizers.native import Request, find, moves, sizes, weigh
from naslib_swap.optimizers.size_limits import SizeLimits
from naslib_swap.optimizers.tied_cells import TiedCells
from naslib_swap.score import swap_score

SMALL = Request(
    space="darts",
    settings=EvolutionSettings(population=4, mutations=2, offspring=1),
    samples=6,
    repeats=1,
    seed=3,
)


def test_darts_search_writes_everything(tmp_path):
    found = find(SMALL, cycles=2, folder=tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        search.LOCK,
        "cells.png",
        "checkpoint.json",
        "curve.png",
        "genotype.txt",
        "history.jsonl",
        "result.json",
    ]
    result = json.loads((tmp_path / "result.json").read_text())
    space = spaces.get("darts")
    arch = space.parse((tmp_path / "genotype.txt").read_text().strip())
    assert result["found"] == found.best.arch == space.encode(arch)
    assert [tuple(edge) for edge in result["architecture"]["normal"]] == list(arch[0])
    assert result["parameters"]["cifar10"] == sum(
        p.numel() for p in space.build(arch, variant="cifar10").parameters()
    )
    assert result["parameters"]["search"] == space.parameters(arch, variant="tiny")
    assert result["scored"] == len((tmp_path / "history.jsonl").read_text().splitlines())
    for picture in ("cells.png", "curve.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_nasbench201_search(tmp_path):
    settings = EvolutionSettings(
        population=2, mutations=1, offspring=1, weighting=SizeWeighting("none")
    )
    request = Request(space="nasbench201", settings=settings, samples=2)
    found = find(request, cycles=1, folder=tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert str(tuple(result["architecture"]["operations"])) == found.best.arch
    assert result["architecture"]["string"].startswith("|")


def test_an_architecture_without_a_score_does_not_end_a_search(tmp_path, monkeypatch):
    drawn = moves(SMALL).sample(np.random.default_rng(SMALL.seed))
    bad = spaces.get("darts").encode(drawn)  # the first that the search draws
    score = NetworkMeasure._score

    def unreliable(self, net, seed):
        if seed == architecture_seed(SMALL.seed, bad):
            raise SwapError("not finite: nan")
        return score(self, net, seed)

    monkeypatch.setattr(NetworkMeasure, "_score", unreliable)
    found = find(SMALL, cycles=1, folder=tmp_path)
    first, *others = map(json.loads, (tmp_path / "history.jsonl").read_text().splitlines())
    assert first["arch"] == bad
    assert first["error"] == f"swap cannot score {bad}: not finite: nan"
    assert not any("error" in other or bad in other["parents"] for other in others)
    assert bad not in [record.arch for record in found.top]
    assert json.loads((tmp_path / "result.json").read_text())["failed"] == 1


@pytest.mark.slow  # each worker imports torch
def test_workers_change_nothing(tmp_path):
    alone = find(SMALL, cycles=1, folder=tmp_path / "alone", jobs=1)
    together = find(SMALL, cycles=1, folder=tmp_path / "together", jobs=2)
    assert alone.evolution.state == together.evolution.state
    histories = [(tmp_path / name / "history.jsonl").read_bytes() for name in ("alone", "together")]
    assert histories[0] == histories[1]


def test_measurement_is_the_swap_score_of_the_network():
    space = spaces.get("darts")
    arch = moves(SMALL).sample(np.random.default_rng(0))
    batch = inputs.load("natural", samples=6)
    measured = NetworkMeasure("darts", "tiny", batch, repeats=2, seed=5)(arch)
    expected = swap_score(
        space.build(arch, variant="tiny"),
        batch.images,
        repeats=2,
        seed=architecture_seed(5, space.encode(arch)),
    )
    assert measured.score == expected.score
    assert measured.size == expected.parameters / 1000


def test_other_proxies_guide_too():
    batch = inputs.load("natural", samples=4)
    arch = moves(SMALL).sample(np.random.default_rng(0))
    measured = NetworkMeasure("darts", "tiny", batch, proxy="params")(arch)
    assert measured.score == pytest.approx(measured.size / 1000)  # millions and thousands


def test_seeds_depend_on_seed_and_architecture():
    assert len({architecture_seed(s, k) for s in range(20) for k in "abcdefghij"}) == 200


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
        arch = mutant


def test_cells_are_free_where_both_are_scored():
    space = moves(replace(SMALL, variant="cifar10"))
    rng = np.random.default_rng(0)
    assert any(normal != reduction for normal, reduction in (space.sample(rng) for _ in range(5)))


def test_size_limits_hold_for_every_architecture_scored():
    limit = 2_600_000
    found = find(replace(SMALL, largest=limit), cycles=2)
    space = spaces.get("darts")
    for key in found.evolution.state.history:
        assert space.parameters(space.parse(key), variant="cifar10") <= limit


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"largest": 1000}, "random darts architectures has at most 1,000 parameters; they had 1,"),
        ({"smallest": 10**8}, "at least 100,000,000 parameters"),
        ({"smallest": 5, "largest": 4}, "smallest size allowed, 5 parameters, is above"),
    ],
)
def test_impossible_size_window(limits, message, tmp_path):
    with pytest.raises(SwapError, match=message):
        find(replace(SMALL, **limits), cycles=1, folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_size_limits_without_bounds_admit_all():
    assert SizeLimits(lambda arch: 7)("anything")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": "imaginary"}, "imaginary"),
        ({"proxy": "imaginary"}, "unknown proxy 'imaginary'"),
        ({"samples": 1}, "samples 1"),
        ({"variant": "huge"}, "huge"),
        ({"source": "imaginary"}, "imaginary"),
    ],
)
def test_impossible_requests(change, message, tmp_path):
    with pytest.raises(SwapError, match=message):
        find(replace(SMALL, **change), cycles=1, folder=tmp_path / "out")
    assert not (tmp_path / "out" / "result.json").exists()


def test_resuming_needs_the_same_request(tmp_path):
    find(SMALL, cycles=1, folder=tmp_path)
    before = (tmp_path / "checkpoint.json").read_bytes()
    for change, name in (
        ({"space": "nasbench201"}, "space"),
        ({"seed": 4}, "seed"),
        ({"samples": 8}, "samples"),
    ):
        with pytest.raises(SwapError, match=rf"belongs to another search \({name}: "):
            find(replace(SMALL, **change), cycles=2, folder=tmp_path, resume=True)
    with pytest.raises(SwapError, match="holds a search already"):
        find(SMALL, cycles=2, folder=tmp_path)
    assert (tmp_path / "checkpoint.json").read_bytes() == before


def test_resuming_with_more_cycles_equals_one_long_search(tmp_path):
    find(SMALL, cycles=1, folder=tmp_path / "parts")
    find(SMALL, cycles=3, folder=tmp_path / "parts", resume=True)
    find(SMALL, cycles=3, folder=tmp_path / "whole")
    parts, whole = ((tmp_path / n / "history.jsonl").read_bytes() for n in ("parts", "whole"))
    assert parts == whole


def test_default_weightings():
    assert weigh("darts") == SizeWeighting("adaptive")
    chosen = weigh("nasbench201")
    assert chosen.mode == "fixed"
    assert chosen.sigma == pytest.approx(chosen.mu**2)


def test_sizes_of_the_example():
    space = spaces.get("darts")
    found = sizes("darts", space.parse(space.example))
    assert found["cifar10"] == 3_349_342
    assert found["search"] < 3000 < found["cifar10"] < found["imagenet"]


def test_two_searches_do_not_share_a_folder(tmp_path):
    with search.alone(tmp_path):
        with pytest.raises(SwapError, match="another search is writing to"):
            find(SMALL, cycles=1, folder=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [search.LOCK]
    find(SMALL, cycles=1, folder=tmp_path)


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SwapError, match=r"cannot write to .*file"):
        find(SMALL, cycles=1, folder=tmp_path / "file")


def _die(arch):
    os._exit(9)


def test_a_worker_that_dies_is_said():
    message = "a worker died, killed or for want of memory.*go on with --resume and fewer --workers"
    with pytest.raises(SwapError, match=message), workers(2) as mapper:
        mapper(_die, ["a", "b"])


def test_workers_below_one():
    with pytest.raises(SwapError, match="workers 0"), workers(0):
        pass
