"""Models by name: files, factories with arguments, zoos."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from naslib_swap import SwapError, compare_models
from naslib_swap.errors import BadArgument
from naslib_swap.models.calls import read_call
from naslib_swap.models.model import Asked
from naslib_swap.models.names import models_named
from naslib_swap.models.zoos import installed

FILE = """
from __future__ import annotations
import torch
from torch import nn
from torch.nn import Linear

def plain(): return nn.Sequential(nn.Linear(4, 8), nn.ReLU())
def wide(width: int = 2, *, act: str = "relu"): return nn.Sequential(nn.Linear(4, width), nn.ReLU())
def needs(width): return plain()
def helper() -> int: return 3
def _hidden(): return plain()
class Net(nn.Module):
    def forward(self, x): return torch.relu(x)
class Sized(nn.Module):
    def __init__(self, size): super().__init__()
ready = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def test_a_file_alone_is_all_its_factories(folder: Path) -> None:
    said: list[str] = []
    found = models_named(["models.py"], Asked(note=said.append))
    assert [one.name for one in found] == [
        "models.py:plain", "models.py:wide", "models.py:Net", "models.py:ready",
    ]  # fmt: skip
    assert "models.py:needs(width=...), models.py:Sized(size=...)" in said[0]
    (folder / "empty.py").write_text("x = 1")
    [empty] = models_named(["empty.py"], Asked())
    with pytest.raises(BadArgument, match="has no factory that can be called without arguments"):
        empty.build(0)


def test_factories_take_arguments(folder: Path) -> None:
    found = compare_models(["models.py:wide(width=3)", "models.py:wide(5)"], torch.randn(4, 4))
    assert {one.name: one.swap.values for one in found.scored} == {
        "models.py:wide(width=3)": 3,
        "models.py:wide(5)": 5,
    }
    errors = [
        str(compare_models([name], torch.randn(4, 4)).failed[0].error)
        for name in ("models.py:needs", "models.py:ready(1)", "models.py:wide(x)", "models.py:wid",
                     "model.py:wide")
    ]  # fmt: skip
    assert "Give its arguments: 'models.py:needs(width=...)'" in errors[0]
    assert "is a module already, expected no arguments" in errors[1]
    assert "expected arguments that are numbers, texts" in errors[2]
    assert errors[3].endswith("expected a factory of a torch module. Do you mean wide?")
    assert errors[4] == "there is no Python file 'model.py', expected one. Do you mean models.py?"


def test_a_module_built_at_import_is_drawn_from_the_seed(folder: Path) -> None:
    def weights(seed: int) -> torch.Tensor:
        [model] = models_named(["models.py:ready"], Asked())
        return next(model.build(seed).parameters()).clone()

    torch.manual_seed(7)
    once = weights(3)
    torch.rand(5)
    assert torch.equal(once, weights(3))
    assert not torch.equal(once, weights(4))
    torch.manual_seed(3)
    assert torch.equal(once, nn.Linear(4, 4).weight)


@settings(max_examples=40)
@given(
    st.lists(st.one_of(st.integers(), st.text(), st.booleans(), st.none()), max_size=3),
    st.dictionaries(st.from_regex(r"[a-z]{1,5}_", fullmatch=True), st.lists(st.integers())),
)
def test_arguments_come_back_as_they_were_written(given_: list[Any], named: dict[str, Any]) -> None:
    inside = [*map(repr, given_), *(f"{name}={value!r}" for name, value in named.items())]
    call = read_call(f"dir (1)/net.py:f({', '.join(inside)})")
    assert call.name == "dir (1)/net.py:f"
    assert call.positional == tuple(given_)
    assert call.keywords == named


def test_nothing_in_a_name_is_run() -> None:
    with pytest.raises(BadArgument, match="expected arguments that are numbers"):
        read_call("m.py:f(__import__('os').getcwd())")
    assert read_call("dir (1)/net.py:f").name == "dir (1)/net.py:f"


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(
        SwapError, match=r"timm:\.\.\. need the package no_such: pip install no_such"
    ):
        installed("no_such", "timm")


def create(name: str, num_classes: int = 10, **options: Any) -> nn.Module:
    if name == "conv" and "img_size" in options:
        raise TypeError("conv() got an unexpected keyword argument 'img_size'")
    net = nn.Sequential(nn.Conv2d(options.get("in_chans", 3), num_classes, 3), nn.ReLU())
    net.pretrained_cfg = {"input_size": (3, 12, 12)}  # type: ignore[assignment]
    net.built_for = options.get("img_size")
    return net


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zoo with the interface of timm: a convolutional network and a transformer."""
    fake = ModuleType("timm")
    fake.is_model = lambda name: name in ("conv", "vit")  # type: ignore[attr-defined]
    fake.list_models = lambda: ["conv", "vit"]  # type: ignore[attr-defined]
    fake.create_model = create  # type: ignore[attr-defined]
    config = SimpleNamespace(has_weights=False)
    fake.models = SimpleNamespace(get_pretrained_cfg=lambda name: config)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", fake)


@pytest.mark.usefixtures("timm")
def test_models_of_timm_have_the_shape_of_their_configuration_or_the_one_asked_for() -> None:
    own = compare_models(["timm:vit", "timm:conv(num_classes=4)"], samples=4)
    assert {one.inputs for one in own.scored} == {"natural, float32 [4, 3, 12, 12]"}
    sized = Asked(shape=(1, 8, 8))
    vit, conv = (model.build(0) for model in models_named(["timm:vit", "timm:conv"], sized))
    assert (vit.built_for, conv.built_for) == ((8, 8), None)
    assert vit[0].in_channels == conv[0].in_channels == 1  # type: ignore[index]


@pytest.mark.usefixtures("timm")
def test_wrong_names_and_missing_weights_of_a_zoo_are_told() -> None:
    found = compare_models(["timm:cnov", "timm:conv(3)"], samples=4)
    assert str(found.failed[0].error) == "timm has no model 'cnov'. Do you mean conv?"
    assert "expected names, such as 'timm:conv(num_classes=10)'" in str(found.failed[1].error)
    trained = compare_models(["timm:conv"], samples=4, pretrained=True)
    assert "timm has no trained weights of conv; leave --pretrained" in str(trained.failed[0].error)


def test_a_model_that_is_there_twice(folder: Path) -> None:
    with pytest.raises(BadArgument, match=r"expected each once: models\.py:plain"):
        compare_models(["models.py", "models.py:plain"], torch.randn(3, 4))
