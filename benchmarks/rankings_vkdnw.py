"""guided_rank beside VKDNW's aggregate on every space: VKDNW by fewer images, on fewer networks.

    naslib-swap table --config ranking --out ranking
    python benchmarks/rankings_vkdnw.py ranking [--archs 100] [--images 16]

VKDNW needs gradients of every class by every image: seconds a network, where there are many classes
or weights. So networks that the first command has stored are scored by 16 images, not the authors'
64; run again, it scores only what is missing. It is not defined for networks that give maps. Both
rows rank the same networks; intervals: 300 resamples of architectures, ranked anew.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import replace

from rankings import (
    NB201,
    Column,
    column,
    given_with,
    interval,
    mean,
    resampled,
    stored,
    worst_space,
)

from naslib_swap import ground_truth
from naslib_swap.evaluation.plan import Plan, plans_from_config
from naslib_swap.evaluation.planning import study_with
from naslib_swap.scoring import Execution, gather, run
from naslib_swap.scoring.store import LineStore

ROWS = ("guided_rank", "vkdnw_agg", "vkdnw")
TASKS = ("cifar10", "class_scene")


def columns(store: LineStore, archs: int, images: int) -> Iterator[Column]:
    for plan in plans_from_config("ranking"):
        if plan.task in TASKS:
            yield from of_plan(replace(plan, archs=None), store, archs, images)


def of_plan(plan: Plan, store: LineStore, archs: int, images: int) -> Iterator[Column]:
    names, values, accuracy = stored(plan, store, ROWS[:1])
    study = study_with(replace(plan, proxies=("vkdnw",)), names)
    settings = {**study.conditions.settings, "vkdnw_samples": images}
    study = replace(study, conditions=replace(study.conditions, settings=settings))
    (frame,) = gather([study], store)
    there = set(frame.arch)
    others = [name for name in names if name not in there]
    random.Random(0).shuffle(others)
    chosen = sorted([*there, *others[: max(archs - len(there), 0)]])
    study = replace(study, subjects={name: study.subjects[name] for name in chosen})
    run([study], store, Execution(workers=1))
    (frame,) = gather([study], store)
    vkdnw = frame.set_index("arch").value.reindex(chosen).to_numpy(float)
    places = [names.index(name) for name in chosen]
    kept = {**{name: one[places] for name, one in values.items()}, "vkdnw": vkdnw}
    for task in NB201 if plan.space == "nasbench201" else (plan.task,):
        if task != plan.task:
            accuracy = ground_truth.load(plan.space, space=plan.space, task=task).accuracy
        yield column(plan.space, task, chosen, kept, accuracy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archs", type=int, default=100)
    parser.add_argument("--images", type=int, default=16)
    given = given_with(parser)
    with LineStore(given.scores) as store:
        found = list(columns(store, given.archs, given.images))
    print("| space, task | architectures | " + " | ".join(ROWS) + " | first less second, 95 % |")
    print("|---|---|" + "---|" * (len(ROWS) + 1))
    ours, theirs = ([resampled(one, row) for one in found] for row in ROWS[:2])
    for one, a, b in zip(found, ours, theirs):
        rhos = " | ".join(f"{one.rho(row):.3f}" for row in ROWS)
        print(f"| {one.group}, {one.name} | {len(one.accuracy)} | {rhos} | {interval(a - b)} |")
    a, b = (dict(enumerate(rows)) for rows in (ours, theirs))
    print(f"\nMean of tasks: {interval(mean(a) - mean(b))}.", end=" ")
    print(f"Worst space: {interval(worst_space(found, a) - worst_space(found, b))}.")


if __name__ == "__main__":
    main()
