"""Command lines: `--key value` and `key value`, in any order, with clear errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naslib_swap.errors import SwapError
from naslib_swap.plugin import arguments, settings

OPTIONS = {"--config-file": 1, "--resume": 0, "--seed": 1, "--gpu": 1}


@pytest.mark.parametrize(
    ("words", "options", "pairs"),
    [
        ("--predictor swap", "", {"predictor": "swap"}),
        ("predictor swap", "", {"predictor": "swap"}),
        ("--test-size=20 --seed 3", "", {"test_size": "20", "seed": "3"}),
        ("predictor swap --config-file a.yaml", "--config-file a.yaml", {"predictor": "swap"}),
        ("--config_file a.yaml", "--config-file a.yaml", {}),
        ("--resume --gpu 1 x -1", "--resume --gpu 1", {"x": "-1"}),
        ("seed 1 --seed 2", "", {"seed": "2"}),
        ("--search.zc_names [swap,params]", "", {"search.zc_names": "[swap,params]"}),
        ("name a=b", "", {"name": "a=b"}),
    ],
)
def test_arguments_are_put_into_stock_order(words: str, options: str, pairs: dict):
    assert arguments.split(words.split(), OPTIONS) == (options.split(), pairs)


@pytest.mark.parametrize("words", [["--predictor"], ["predictor"], ["--config-file"], ["--"]])
def test_a_key_without_a_value_is_an_error(words: list[str]):
    with pytest.raises(SwapError, match=r"expected `--key value`|has no value"):
        arguments.split(words, OPTIONS)


keys = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True).filter(
    lambda key: key not in ("config_file", "resume", "seed", "gpu")
)
values = st.from_regex(r"[a-zA-Z0-9._]{1,8}", fullmatch=True)


@given(st.dictionaries(keys, values, max_size=5), st.randoms())
def test_both_notations_mean_the_same_in_any_order(pairs: dict, rng):
    stock, dashed = [], []
    for key in rng.sample(sorted(pairs), len(pairs)):
        stock += [key, pairs[key]]
        dashed += rng.choice([[f"--{key}", pairs[key]], [f"--{key}={pairs[key]}"]])
    assert arguments.split(stock, OPTIONS)[1] == arguments.split(dashed, OPTIONS)[1] == pairs


def test_an_unknown_key_lists_the_known_ones():
    known = arguments.flattened({"predictor": "fisher", "search": {"epochs": 1}})
    arguments.check_keys(["predictor", "search.epochs", "start_idx"], known)
    with pytest.raises(
        SwapError, match=r"unknown key 'predicter'.*predictor.*search.epochs.*swap.mu"
    ):
        arguments.check_keys(["predicter"], known)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("False", bool, False),
        ("true", bool, True),
        ("20", int, 20),
        ("1", float, 1.0),
        ("[swap, reg_swap]", list, ["swap", "reg_swap"]),
        ("swap,params", list, ["swap", "params"]),
        ("['a', 'b']", list, ["a", "b"]),
        ("ImageNet16-120", str, "ImageNet16-120"),
    ],
)
def test_values_take_the_type_of_their_key(text: str, kind: type, value: object):
    found = arguments.literal("key", text, kind)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("text", "kind"), [("many", int), ("maybe", bool), ("x", float)])
def test_a_value_of_the_wrong_type_names_its_key(text: str, kind: type):
    with pytest.raises(SwapError, match=f"test_size = '{text}': expected {kind.__name__}"):
        arguments.literal("test_size", text, kind)


def test_packaged_configurations_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--config-file", "configs/zc/nasbench201_cifar10.yaml"]
    found = arguments.with_packaged_config(words)[1]
    assert found != words[1]
    assert "search_space: nasbench201" in Path(found).read_text()
    own = tmp_path / "configs" / "zc"
    own.mkdir(parents=True)
    (own / "nasbench201_cifar10.yaml").touch()
    assert arguments.with_packaged_config(words) == words
    other = ["--config-file", "mine.yaml"]
    assert arguments.with_packaged_config(other) == other


def test_settings_come_from_the_environment_and_the_configuration(monkeypatch):
    monkeypatch.setattr(settings, "_configured", {})
    monkeypatch.setenv("NASLIB_SWAP_SAMPLES", "8")
    monkeypatch.setenv("NASLIB_SWAP_SEED", "5")
    assert settings.current().samples == 8
    settings.configure({"samples": "24", "keep": "false"})
    assert (settings.current().samples, settings.current().seed) == (24, 5)
    assert settings.current().keep is False


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sampels": 3}, r"swap: unknown option\(s\) sampels, expected .*samples"),
        ({"samples": "many"}, "swap: got samples 'many', expected int"),
        ({"repeats": "-1"}, "got repeats '-1', expected at least 0"),
        ({"keep": "perhaps"}, "got keep 'perhaps', expected bool"),
        ({"space": "darts"}, "swap: got space, expected search_space, outside of the node"),
        ({"images": "noise"}, "swap: images is now called inputs"),
    ],
)
def test_impossible_settings_are_refused(values: dict, message: str):
    with pytest.raises(SwapError, match=message):
        settings.read(values)
