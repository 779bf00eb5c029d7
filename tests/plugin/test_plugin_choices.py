"""What a runner may choose from: wrong names and numbers are one line with the known ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from naslib_swap.errors import SwapError
from naslib_swap.plugin import choices

RUNNER = """
supported_optimizers = {'rs': 1, 're': RegularizedEvolution(config)}
supported_search_spaces = {"nasbench201": 1, "nlp": 2}
"""


@pytest.fixture
def runner(tmp_path: Path) -> str:
    path = tmp_path / "runner.py"
    path.write_text(RUNNER)
    return str(path)


def check(runner: str | None, **given: object) -> None:
    config = {"search_space": "nasbench201", "dataset": "cifar10", "optimizer": "re"}
    given = {key.replace("__", "."): value for key, value in given.items()}
    choices.check({**config, **given}, set(given), "nas", runner)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": "swap_er"}, "unknown optimizer 'swap_er'; known are re, rs, swap_re$"),
        (
            {"search_space": "nasbench2O1"},
            "unknown search_space 'nasbench2O1'; known are nasbench201, nlp$",
        ),
        (
            {"dataset": "cifar1O"},
            "unknown dataset of nasbench201 'cifar1O'; known are ImageNet16-120, cifar10, cifar100",
        ),
        ({"test_size": 0}, "test_size = 0: expected at least 1"),
        ({"search__epochs": -3}, "search.epochs = -3: expected at least 1"),
    ],
)
def test_what_cannot_be_is_one_line(runner: str, given: dict, message: str):
    with pytest.raises(SwapError, match=message):
        check(runner, **given)


def test_what_can_be_passes(runner: str):
    check(runner, optimizer="swap_re", dataset="ImageNet16-120", test_size=1)
    check(runner, search_space="nlp", dataset="treebank")
    check(runner, dataset="svhn")


def test_a_default_and_an_unreadable_runner_are_not_judged(runner: str, tmp_path: Path):
    choices.check({"optimizer": "oneshot"}, set(), "nas", runner)
    for path in (None, str(tmp_path / "nowhere.py")):
        check(path, optimizer="mine")
    (tmp_path / "odd.py").write_text("supported_optimizers = made()\nelse")
    check(str(tmp_path / "odd.py"), optimizer="mine")


def test_a_task_of_another_space_is_refused():
    given = {"search_space", "dataset"}
    config = {"search_space": "transbench101_micro", "dataset": "cifar10"}
    with pytest.raises(SwapError, match=r"dataset of transbench101_micro 'cifar10'.*jigsaw"):
        choices.check(config, given, "nas", None)
