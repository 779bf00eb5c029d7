"""Live scores: those of every door, under the settings in force, looked up where they are kept."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

import pytest

from naslib_swap import scoring
from naslib_swap.errors import SwapError, Unscorable
from naslib_swap.plugin import images, live, settings
from naslib_swap.plugin.settings import Settings
from naslib_swap.proxies import PROXIES, Proxy, register
from naslib_swap.scoring.cache import machine_store

ARCH = "(1, 1, 2, 1, 1, 1)"
TASK = ("nasbench201", "cifar10")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, no settings, and nothing remembered of other tests."""
    for name in settings.names():
        monkeypatch.delenv(settings.PREFIX + name.upper(), raising=False)
    monkeypatch.setenv("NASLIB_SWAP_CACHE", str(tmp_path))
    monkeypatch.setenv("NASLIB_SWAP_SHIPPED", "false")  # what is tested here is computed
    monkeypatch.setattr(settings, "_configured", {})
    for kept in (live._store, live.conditions, live._tell_regularisation, live._warn_of_bound):
        kept.cache_clear()
    yield tmp_path
    live._store.cache_clear()


def score(name: str = "swap", arch: str = ARCH) -> float:
    return live.score(*TASK, arch, name)["score"]


@pytest.mark.parametrize("text", [ARCH, "[1, 1, 2, 1, 1, 1]", "(np.int64(1), 1, 2, 1, 1, 1)"])
def test_a_score_is_that_of_the_library(text: str):
    expected = scoring.score(scoring.Architecture(*TASK, ARCH), ["swap", "reg_swap"])
    assert score("swap", text) == expected["swap"].value
    assert score("reg_swap", text) == expected["reg_swap"].value


def test_swap_and_reg_swap_are_scored_in_one_go_and_kept(monkeypatch):
    first = score("swap")
    held = {record.key.proxy: record for record in machine_store().records()}
    assert set(held) == {"swap", "reg_swap"}
    assert held["swap"].score.value == first

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("scored twice")

    monkeypatch.setattr(scoring, "score", refuse)
    live._store.cache_clear()  # as in another process
    assert score("swap") == first
    assert score("reg_swap") == held["reg_swap"].score.value


def test_several_are_ours_scored_in_one_go_and_kept(monkeypatch):
    monkeypatch.setattr(live.measures, "is_ours", lambda name: name == "swap")
    names, calls, made = ("swap", "flops", "depth"), [], scoring.score
    expected = made(scoring.Architecture(*TASK, ARCH), names)

    def counted(subject, lacking, *args, **options):
        calls.append(lacking)
        return made(subject, lacking, *args, **options)

    monkeypatch.setattr(scoring, "score", counted)
    for _ in range(2):
        found = live.scores(*TASK, ARCH, names)
        assert {n: one.value for n, one in found.items()} == {
            n: one.value for n, one in expected.items()
        }
    assert calls == [list(names)]
    kept = {record.key.proxy: record.recipe for record in machine_store().records()}
    assert kept == live.recipes(*TASK, names)


def test_a_changed_setting_scores_anew_in_the_same_process(monkeypatch):
    monkeypatch.setenv("NASLIB_SWAP_SAMPLES", "2")
    two = score()
    monkeypatch.setenv("NASLIB_SWAP_SAMPLES", "4")
    four = score()
    assert two <= 4 < four
    monkeypatch.setenv("NASLIB_SWAP_SAMPLES", "2")
    assert score() == two
    assert machine_store().count() == 4


def test_nothing_is_kept_where_the_user_says_so(monkeypatch, cache: Path):
    settings.configure({"keep": "false", "samples": 2})
    score()
    assert list(cache.iterdir()) == []


def test_mu_and_sigma_given_are_those_of_the_formula():
    settings.configure({"samples": "4", "mu": "500", "sigma": "1000"})
    theta = scoring.Architecture(*TASK, ARCH).parameters() / 1000
    assert score("reg_swap") == pytest.approx(math.log(score("swap")) - (theta - 500) ** 2 / 1000)


def test_a_network_near_the_bound_is_said_once(caplog):
    settings.configure({"samples": 2})
    for arch in (ARCH, "(0, 2, 3, 2, 3, 1)"):
        assert score("swap", arch) == 4
    (said,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "2 samples can give, 4; more tell them apart better (--swap.samples 4)" in said


def test_the_log_says_which_images_are_used_and_how_to_take_the_data_sets(caplog):
    caplog.set_level(logging.INFO)
    settings.configure({"samples": 2})
    score("swap")
    score("reg_swap")
    said = [r.getMessage() for r in caplog.records if "images" in r.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("scores use 2 images 3x32x32: natural (digest ")
    assert said[0].endswith("; --swap.inputs dataset takes those of cifar10")
    assert [r.getMessage() for r in caplog.records if "mu=" in r.getMessage()] == [
        "reg_swap: mu=1316.51, sigma=1.73319e+06 (thousands of parameters)"
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"samples": "1"}, "got samples 1, expected at least 2"),
        ({"mu": "3"}, "got mu=3.0 and sigma=None, expected both or neither"),
        ({"rule": "smallest"}, "got rule 'smallest', expected one of largest"),
        ({"variant": "tiny"}, "got variant 'tiny', expected one of full for nasbench201"),
        ({"inputs": "nowhere"}, "unknown source of images 'nowhere'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(values: dict[str, str], message: str):
    settings.configure(values)
    with pytest.raises(SwapError, match=message):
        score()


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch):
    """Register a proxy for one test."""
    PROXIES.names()  # loads all, before the copy
    monkeypatch.setattr(PROXIES, "_found", dict(PROXIES._found))
    monkeypatch.setattr(PROXIES, "_by_hand", dict(PROXIES._by_hand))
    monkeypatch.setattr(live.measures, "is_ours", lambda name: True)

    def add(compute, higher_is_better: bool = True) -> None:
        register(Proxy("mine", "Mine", compute, higher_is_better=higher_is_better))

    return add


def undefined(probe: object) -> float:
    raise SwapError("the network has no third layer")


def test_a_proxy_of_somebody_else_is_scored(mine):
    mine(lambda probe: probe.parameters)
    assert score("mine") == scoring.Architecture(*TASK, ARCH).parameters()


@pytest.mark.parametrize(("better", "sign"), [(True, -1e8), (False, 1e8)])
def test_an_architecture_without_a_score_is_the_worst_and_not_kept(mine, caplog, better, sign):
    mine(undefined, better)
    with pytest.raises(Unscorable, match=r"mine has no score for .*: the network has no third"):
        score("mine")
    assert live.reported(*TASK, ARCH, "mine") == {"score": sign, "time": 0.0}
    assert "it is reported as" in caplog.text
    assert machine_store().count() == 0


def test_a_proxy_that_breaks_down_is_an_error_with_its_trace(mine, caplog):
    mine(lambda probe: 1 / 0)
    with pytest.raises(SwapError, match=r"mine failed on .*: ZeroDivisionError: division by zero"):
        live.reported(*TASK, ARCH, "mine")
    assert "1 / 0" in caplog.text


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (("nowhere", "cifar10"), "search space 'nowhere', expected one of"),
        (("nasbench201", "svhn"), "there is no task 'svhn' of search space 'nasbench201'"),
    ],
)
def test_an_unknown_space_or_data_set_is_named(task: tuple[str, str], message: str):
    with pytest.raises(SwapError, match=message):
        live.score(*task, ARCH, "swap")


def test_the_data_set_comes_from_naslibs_folder_where_it_is_there(tmp_path: Path):
    folder = tmp_path / "cifar-10-batches-py"
    for inputs in ("dataset", "cifar10"):
        wanted = Settings(inputs=inputs)
        elsewhere = replace(wanted, inputs="cifar10")
        assert images.placed(wanted, "cifar10", None) == elsewhere
        assert images.placed(wanted, "cifar10", tmp_path / "nowhere") == elsewhere
    folder.mkdir()
    there = images.placed(Settings(inputs="dataset"), "cifar10", tmp_path)
    assert (there.inputs, there.inputs_path) == ("cifar10", str(folder))
    for own in (Settings(), Settings(inputs="noise"), Settings("x", inputs_path="mine")):
        assert images.placed(own, "cifar10", tmp_path) == own
    with pytest.raises(SwapError, match="the files of class_scene are not known: expected natural"):
        images.placed(Settings(inputs="dataset"), "class_scene", tmp_path)
