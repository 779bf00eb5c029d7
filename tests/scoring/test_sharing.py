"""Tasks whose networks differ in heads alone: scored once, as each alone would be."""

from __future__ import annotations

import pytest

from naslib_swap import spaces
from naslib_swap.scoring import Architecture, Images, Study, conditions_for, run, score
from naslib_swap.scoring.record import Key, Record, Score
from naslib_swap.scoring.sharing import following, shared
from naslib_swap.scoring.store import MemoryStore
from naslib_swap.scoring.study import missing

NAMES = ("swap", "reg_swap", "values", "params")
SMALL = {"images": Images(samples=3, resolution=16), "mu": 1000.0, "sigma": 1e6}
SHARING = [name for name in spaces.names() if spaces.get(name).encoders]


def study(space: str, task: str, *archs: str, names: tuple[str, ...] = NAMES, **options) -> Study:
    subjects = {arch: Architecture(space, task, arch) for arch in archs}
    conditions = conditions_for(space, task, names=names, **{**SMALL, **options})
    return Study(space, task, subjects, names, (0,), conditions)


def jobs(*studies: Study):
    return [job for one in studies for job in missing(one)]


def test_the_groups_of_a_space_are_all_of_its_tasks():
    groups = spaces.get("transbench101_micro").alike()
    assert groups[0] == ("class_scene", "class_object", "room_layout")
    assert ("normal", "autoencoder") in groups
    assert ("jigsaw",) in groups
    assert spaces.get("nasbench201").alike() == (("cifar10", "cifar100"), ("ImageNet16-120",))
    for name in spaces.names():
        tasks = [task for group in spaces.get(name).alike() for task in group]
        assert sorted(tasks) == sorted(spaces.get(name).tasks)


@pytest.mark.parametrize("space", SHARING)
def test_scores_taken_over_are_those_that_each_task_computes(space: str):
    found = spaces.get(space)
    studies = [study(space, task, found.example) for task in found.tasks]
    store = MemoryStore()
    assert run(studies, store) == len(studies)
    made = {(record.key.task, record.key.proxy): record for record in store.records()}
    assert len(made) == len(studies) * len(NAMES)
    for one in studies:
        (subject,) = one.subjects.values()
        alone = score(subject, NAMES, one.conditions)
        for name in NAMES:
            assert made[one.task, name].score.value == alone[name].value, (one.task, name)
            assert made[one.task, name].score.saturation == alone[name].saturation


def test_only_the_first_of_several_tasks_is_computed():
    space = "transbench101_macro"
    asked = [study(space, t, spaces.get(space).example) for t in ("class_scene", "room_layout")]
    split = shared(jobs(*asked))
    assert [(job.subject.task, job.proxies) for job in split.jobs] == [
        ("class_scene", NAMES),
        ("room_layout", ("params",)),
    ]
    ((of, (follower,)),) = split.followers.items()
    assert of == (space, "class_scene", spaces.get(space).example, 0)
    assert follower.proxies == ("swap", "reg_swap", "values")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"images": Images(samples=4, resolution=16)}),
        ({}, {"repeats": 2}),
        ({"names": ("reg_swap",)}, {}),
        ({"names": ("params",)}, {"names": ("params",)}),
    ],
    ids=["other images", "other settings", "no swap to follow", "nothing to share"],
)
def test_what_differs_is_not_shared(first: dict, second: dict):
    example = spaces.get("nasbench201").example
    asked = [
        study("nasbench201", "cifar10", example, **first),
        study("nasbench201", "cifar100", example, **second),
    ]
    assert shared(jobs(*asked)) == (jobs(*asked), {})


def test_followers_of_what_failed_are_computed_themselves():
    example = spaces.get("nasbench201").example
    split = shared(
        jobs(study("nasbench201", "cifar10", example), study("nasbench201", "cifar100", example))
    )
    (of,) = split.followers
    key = Key(*of[:3], "swap", of[3], "")
    made = [Record(key, Score(None, error="MemoryError: too large"), None)]
    found, again = following(made, split.followers)
    assert found == []
    assert [(job.subject.task, job.proxies) for job in again] == [
        ("cifar100", ("swap", "reg_swap", "values"))
    ]
    assert split.followers == {}
