"""Placeholders stand in for what cannot be imported, in NASLib's modules alone."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from naslib_swap.errors import SwapError
from naslib_swap.plugin import placeholders


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placeholders, "stood_in", {})
    monkeypatch.setitem(placeholders.OPTIONAL, "nowhere_at_all", "nowhere-at-all")


def run(source: str) -> ModuleType:
    module = ModuleType("naslib.something")
    placeholders.prepare(module)
    exec(compile(source, "something.py", "exec"), module.__dict__)
    return module


def test_a_missing_package_can_be_imported_named_and_subclassed():
    module = run(
        "import nowhere_at_all.models as models\n"
        "from nowhere_at_all.transforms import Compose\n"
        "import nowhere_at_all\n"
        "class Mine(Compose):\n"
        "    def __init__(self): self.x = 1\n"
        "class Mixed(dict, nowhere_at_all.Base): pass\n"
        "known = isinstance(3, Compose)\n"
    )
    assert repr(module.models) == "<placeholder for nowhere_at_all.models>"
    assert module.known is False
    assert issubclass(module.Mixed, dict)
    assert "nowhere_at_all" not in sys.modules


@pytest.mark.parametrize("use", ["module.Compose([1])", "module.Mine()", "module.models.resnet()"])
def test_using_it_names_the_package_and_what_to_install(use: str):
    module = run(
        "from nowhere_at_all.transforms import Compose\n"
        "from nowhere_at_all import models\n"
        "class Mine(Compose):\n"
        "    def __init__(self): self.x = 1\n"
    )
    with pytest.raises(SwapError, match=r"pip install nowhere-at-all") as caught:
        eval(use, {"module": module})
    assert isinstance(caught.value, ModuleNotFoundError)
    assert "it is not installed" in str(caught.value)


def test_a_package_that_fails_to_import_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "nowhere_at_all.py").write_text("raise RuntimeError('built for another torch')")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = run("import nowhere_at_all")
    with pytest.raises(SwapError, match="RuntimeError: built for another torch"):
        module.nowhere_at_all.anything()


def test_the_package_that_is_really_missing_is_the_one_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "nowhere_at_all.py").write_text("import tornado_that_is_nowhere.web")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = run("import nowhere_at_all")
    with pytest.raises(SwapError, match=r"nowhere, which is not .*; pip install tornado_"):
        module.nowhere_at_all.anything()


def test_no_package_is_advised_for_tkinter():
    error = ModuleNotFoundError("No module named '_tkinter'", name="_tkinter")
    assert "pip" not in placeholders._absence("turtle", error).advice


def test_a_package_that_is_there_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "nowhere_at_all.py").write_text("answer = 42")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run("from nowhere_at_all import answer").answer == 42
    assert placeholders.stood_in == {}
    sys.modules.pop("nowhere_at_all")


def test_other_packages_and_the_modules_own_parts_still_fail():
    with pytest.raises(ModuleNotFoundError, match="no_such_package_here"):
        run("import no_such_package_here")
    with pytest.raises(ImportError):
        run("from json import no_such_name")


def test_other_modules_see_no_placeholder():
    run("import nowhere_at_all")
    with pytest.raises(ModuleNotFoundError):
        exec("import nowhere_at_all", {})


def test_dunder_names_are_not_invented():
    module = run("import nowhere_at_all")
    assert not hasattr(module.nowhere_at_all, "__version__")
    assert not hasattr(module.nowhere_at_all, "__path__")
