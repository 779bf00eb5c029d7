"""One architecture, one seed, the same images: one score at every door."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from naslib_swap import Plan, PrecomputePlan, compare, precompute, swap_score
from naslib_swap.inputs import load
from naslib_swap.scoring import Architecture, score

ARCHS = ("(2, 3, 0, 2, 4, 2)", "(4, 0, 3, 1, 4, 3)", "(2, 2, 2, 2, 2, 2)")
NAMES = ("swap", "reg_swap")


@pytest.fixture(scope="module")
def expected() -> dict[tuple[str, str], float]:
    """What the library says."""
    return {
        (arch, name): found.value
        for arch in ARCHS
        for name, found in score(Architecture("nasbench201", "cifar10", arch), NAMES).items()
    }


def test_the_core_gives_it_on_the_same_network_and_images(expected):
    subject = Architecture("nasbench201", "cifar10", ARCHS[0])
    torch.manual_seed(1)  # of no importance
    images = load("natural", samples=16).images
    assert swap_score(subject.build(0), images).score == expected[ARCHS[0], "swap"]


def test_table_gives_it(expected, tmp_path):
    truth = tmp_path / "truth.csv"
    rows = [f'"{arch}",{90 + n}' for n, arch in enumerate(ARCHS)]
    truth.write_text("\n".join(["arch,val_accuracy", *rows]))
    (outcome,) = compare(Plan(archs=None, proxies=NAMES, truth_file=str(truth)))
    found = outcome.scores.set_index(["arch", "proxy"])["value"]
    assert found.to_dict() == expected


def test_precompute_gives_it(expected, tmp_path):
    (tmp_path / "archs.txt").write_text("\n".join(ARCHS))
    plan = PrecomputePlan(archs_file=str(tmp_path / "archs.txt"))
    table = precompute(plan, tmp_path / "zc.json").table["cifar10"]
    assert {(a, n): table[a][n]["score"] for a in ARCHS for n in NAMES} == expected


def test_a_search_gives_it():
    from naslib_swap import SearchPlan, search

    found = search(
        SearchPlan(space="nasbench201", population=3, cycles=0, mutations=1, offspring=1)
    )
    for candidate in found.history.itertuples():
        alone = score(Architecture("nasbench201", "cifar10", candidate.arch), ["swap"])
        assert candidate.score == alone["swap"].value


def test_nas_lib_gives_it(expected, tmp_path):
    """The plugin's look-up; `naslib` need not be there for it."""
    script = (
        "import json, sys\n"
        "from naslib_swap.plugin import live\n"
        f"print(json.dumps([live.score('nasbench201', 'cifar10', a, n)['score']"
        f" for a in {ARCHS!r} for n in {NAMES!r}]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={
            **_environment(),
            "NASLIB_SWAP_CACHE": str(tmp_path),
            "NASLIB_SWAP_SHIPPED": "false",
        },
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == [expected[a, n] for a in ARCHS for n in NAMES]
    # Kept: another process does not score again.
    assert (tmp_path / "scores.sqlite").is_file()


def _environment() -> dict[str, str]:
    import os

    kept = {k: v for k, v in os.environ.items() if not k.startswith("NASLIB_SWAP_")}
    return {**kept, "PYTHONPATH": str(Path.cwd() / "no such folder")}


def test_the_seed_of_weights_follows_from_space_and_canonical_architecture_alone():
    twins = ("(2, 3, 0, 1, 4, 2)", "(3, 2, 0, 1, 2, 4)")
    seeds = {
        Architecture("nasbench201", task, text).weights_seed(0)
        for text in twins
        for task in ("cifar10", "cifar100", "ImageNet16-120")
    }
    assert len(seeds) == 1
    assert Architecture("nasbench201", "cifar10", twins[0]).weights_seed(1) not in seeds
