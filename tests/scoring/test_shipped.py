"""Scores that come with the package: found by their recipe at every door, and right."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from naslib_swap import scoring, spaces
from naslib_swap.errors import BadFile
from naslib_swap.optimizers.measuring import NetworkMeasure
from naslib_swap.plugin import live, settings
from naslib_swap.scoring import (
    Architecture,
    Execution,
    Images,
    Key,
    Recipe,
    Record,
    Score,
    Study,
    conditions_for,
    run,
    shipped,
)
from naslib_swap.scoring.backends import crew
from naslib_swap.scoring.store import MemoryStore

ARCH = "(0, 2, 3, 2, 3, 1)"
TASKS = ("cifar10", "cifar100")
NAMES = ("swap", "reg_swap")


def asked(task: str = "cifar10", **options: object):
    return conditions_for("nasbench201", task, names=NAMES, **options)


def recipe(name: str, task: str = "cifar10", seed: int = 0, **options: object) -> Recipe:
    return Recipe.of(Architecture("nasbench201", task, ARCH), name, asked(task, **options), seed)


def made_up() -> shipped.Table:
    """One network that shows 123 patterns, which it does not."""
    sizes = {t: np.array([Architecture("nasbench201", t, ARCH).parameters()]) for t in TASKS}
    column = shipped.Column(
        dict.fromkeys(TASKS, "full"), 0, recipe("swap"), np.array([[123, 1230, 456]], np.uint32)
    )
    rules = dict.fromkeys(TASKS, (1316.5, 1733188.0))
    return shipped.Table("nasbench201", {ARCH: 0}, {ARCH: 0}, sizes, rules, (column,))


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> shipped.Table:
    """The only table there is."""
    shipped.write(tmp_path / "nasbench201.npz", made_up())
    monkeypatch.setattr(shipped, "_folder", lambda: tmp_path)
    shipped.load.cache_clear()
    yield made_up()
    shipped.load.cache_clear()


def found(name: str, task: str = "cifar10", arch: str = ARCH, seed: int = 0, **options: object):
    made = recipe(name, task, seed, **options)
    return shipped.find(Key("nasbench201", task, arch, name, seed, made.id), made)


def test_a_table_reads_as_it_was_written_and_in_equal_bytes(tmp_path: Path):
    one, other = tmp_path / "a.npz", tmp_path / "b.npz"
    shipped.write(one, made_up())
    shipped.write(other, shipped.read(one.read_bytes()))
    assert one.read_bytes() == other.read_bytes()
    read = shipped.read(one.read_bytes())
    assert (read.places, read.keys, read.rules) == ({ARCH: 0}, {ARCH: 0}, made_up().rules)
    assert read.columns[0].at(0) == (123, 1230, 456)


@pytest.mark.parametrize("task", TASKS)
def test_a_score_is_found_by_its_recipe(table, task: str):
    assert found("swap", task) == Score(123.0, saturation=0.1)
    assert found("swap", task, arch="(0, 2, 3, 2, 3, 2)") is None
    assert found("params", task) is None


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("mu", "sigma"), [(600.0, 1e5), (1316.5, 1733188.0)])
def test_a_regularised_score_follows_whatever_mu_and_sigma_are(table, task, mu, sigma):
    theta = Architecture("nasbench201", task, ARCH).parameters() / 1000
    expected = math.log(123) - (theta - mu) ** 2 / sigma
    assert found("reg_swap", task, mu=mu, sigma=sigma).value == pytest.approx(expected, abs=1e-12)


def test_what_cannot_be_weighed_is_left_to_be_computed(table):
    wild = replace(asked(), settings={"mu": 1e160, "sigma": 1.0})
    store = MemoryStore()
    run([replace(study(ARCH), conditions=wild)], store)
    made = {record.key.proxy: record.score for record in store.records()}
    assert made["swap"].value == 123
    assert "too large for a number" in made["reg_swap"].error


def test_settings_at_rest_do_not_matter(table):
    assert found("swap", repeats=0, batch_repeats=8).value == 123
    assert found("swap", repeats=2, batch_repeats=1) is None


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        ({"seed": 1}, "seed 0 (now 1)"),
        ({"images": Images(samples=8)}, "samples 16 (now 8)"),
        ({"images": Images(resolution=16)}, "shape (3, 32, 32) (now (3, 16, 16))"),
        ({"repeats": 4}, "repeats None (now 4)"),
    ],
)
def test_other_conditions_find_nothing_and_say_why(table, options: dict, differs: str):
    assert found("swap", **options) is None
    seed = options.pop("seed", 0)
    why = shipped.why_not("nasbench201", "cifar10", "swap", seed, recipe("swap", **options))
    assert differs in why
    assert why.endswith("They are not used.")
    assert shipped.why_not("nasbench101", "cifar10", "swap", 0, recipe("swap")) == ""


def test_a_table_of_another_version_is_not_used(tmp_path: Path, monkeypatch):
    old = made_up()
    column = replace(old.columns[0], recipe=replace(old.columns[0].recipe, version=2))
    shipped.write(tmp_path / "nasbench201.npz", replace(old, columns=(column,)))
    monkeypatch.setattr(shipped, "_folder", lambda: tmp_path)
    shipped.load.cache_clear()
    assert found("swap") is None
    shipped.load.cache_clear()


def study(*archs: str, task: str = "cifar10", **options: object) -> Study:
    subjects = {arch: Architecture("nasbench201", task, arch) for arch in archs}
    return Study("nasbench201", task, subjects, NAMES, (0,), asked(task, **options))


def test_a_run_takes_what_is_there_and_computes_the_rest(table):
    other, store, notes, steps = "(2, 2, 2, 2, 2, 2)", MemoryStore(), [], []
    run([study(ARCH, other)], store, note=notes.append, progress=lambda *step: steps.append(step))
    values = {(r.key.arch, r.key.proxy): r.score.value for r in store.records()}
    assert values[ARCH, "swap"] == 123
    assert values[other, "swap"] > 123
    assert len(values) == 4
    assert steps == [(0, 1), (1, 1)]
    assert notes == [
        "scores of nasbench201/cifar10 that come with the package: 1 by swap, 1 by reg_swap. They "
        "are not computed here; --rescore computes them."
    ]


def test_a_run_computes_all_where_it_is_told_to(table):
    store = MemoryStore()
    run([study(ARCH)], store, Execution(workers=1, rescore=True))
    assert {r.score.value for r in store.records() if r.key.proxy == "swap"} == {50032}


def test_a_run_says_why_it_computes(table):
    notes: list[str] = []
    run([study(ARCH, images=Images(samples=4))], MemoryStore(), note=notes.append)
    assert "samples 16 (now 4)" in notes[0]


def test_a_search_takes_them(table):
    measure = NetworkMeasure("nasbench201", "cifar10", conditions=asked())
    arch = spaces.get("nasbench201").parse(ARCH)
    with crew("loky", 1) as hands:
        (measured,) = measure.by(hands)([arch])
    assert measured.score == 123
    assert measure(arch).score == 123


def test_naslib_takes_them_unless_the_user_says_otherwise(table, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("NASLIB_SWAP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(settings, "_configured", {})
    caplog.set_level(logging.INFO)
    for kept in (live._store, live.conditions, live._tell_shipped):
        kept.cache_clear()
    assert live.score("nasbench201", "cifar10", ARCH, "swap") == {"score": 123.0, "time": 0.0}
    assert not (tmp_path / "cache").exists()
    assert "scores of nasbench201/cifar10 by swap come with the package" in caplog.text
    settings.configure({"samples": 4})
    assert live.score("nasbench201", "cifar10", ARCH, "swap")["score"] == 16
    assert "samples 16 (now 4)" in caplog.text
    settings.configure({"shipped": False})
    assert live.score("nasbench201", "cifar10", ARCH, "swap")["score"] == 50032
    live._store.cache_clear()


def test_columns_collect_records_of_tasks_that_share_their_scores():
    groups = [dict.fromkeys(TASKS, "full")]
    records = [
        Record(Key("nasbench201", task, ARCH, name, 0, ""), score, recipe("swap", task))
        for task in TASKS
        for name, score in (("swap", Score(100.0, saturation=0.25)), ("values", Score(700.0)))
    ]
    (column,) = shipped.columns_of(records, {ARCH: 0}, groups)
    assert column.at(0) == (100, 400, 700)
    records[0] = records[0]._replace(score=Score(99.0, saturation=0.25))
    with pytest.raises(BadFile, match="scores 99 and 100 on the tasks cifar10, cifar100"):
        shipped.columns_of(records, {ARCH: 0}, groups)


def test_the_package_has_them():
    assert "nasbench201" in shipped.names()


@pytest.mark.parametrize("space", shipped.names())
def test_what_is_shipped_is_what_the_library_computes(space: str):
    """A random few, computed anew: within 4 patterns, as sums differ by processor."""
    held = shipped.load(space)
    rng = np.random.default_rng(7)
    for column in held.columns:
        task = next(iter(column.variants))
        if column.recipe.source != "natural" or task in ("jigsaw", "segmentsemantic", "normal"):
            continue
        there = np.flatnonzero(column.seen[:, 0])
        names = list(held.places)
        for place in rng.choice(there, size=min(2, len(there)), replace=False).tolist():
            subject = Architecture(space, task, names[place])
            made = scoring.score(subject, (*NAMES, "values"))
            seen = column.at(place)
            assert abs(made["swap"].value - seen.patterns) <= 4
            assert made["values"].value == seen.values
            assert int(held.sizes[task][place]) == subject.parameters()
            key = Key(space, task, subject.name, "reg_swap", 0, "")
            weighed = Recipe.of(subject, "reg_swap", conditions_for(space, task, names=NAMES), 0)
            assert shipped.find(key, weighed).value == pytest.approx(
                made["reg_swap"].value, abs=1e-3
            )
            assert held.rules[task] == tuple(dict(weighed.settings)[n] for n in ("mu", "sigma"))
