"""Finding NASLib, and its runners."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from naslib_swap.errors import SwapError
from naslib_swap.plugin import checkout, launcher


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that nothing points to; the working folder is another one."""
    folder = tmp_path / "somewhere"
    (folder / "naslib" / "search_spaces").mkdir(parents=True)
    (folder / "naslib" / "__init__.py").touch()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv(checkout.ROOT_VARIABLE, raising=False)
    monkeypatch.setattr(sys, "argv", ["naslib-swap"])
    monkeypatch.delitem(sys.modules, "naslib", raising=False)
    monkeypatch.setattr(checkout, "holds_naslib", only_below(tmp_path))
    return folder


def only_below(folder: Path) -> Any:
    """A NASLib that this environment may have is out of the tests' way."""
    holds = checkout.holds_naslib
    return lambda path: folder in path.absolute().parents and holds(path)


class Editable:
    """The finder of an editable install: the package is in no folder of the path."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "naslib":
            return None
        return importlib.util.spec_from_file_location(name, self.root / "naslib" / "__init__.py")


def test_an_installed_naslib_is_found_from_another_folder(root: Path, monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [Editable(root), *sys.meta_path])
    assert checkout.find() == root
    (root / "naslib" / "runners" / "zc").mkdir(parents=True)
    (root / "naslib" / "runners" / "zc" / "runner.py").touch()
    assert launcher.find_runner("zc") == root / "naslib" / "runners" / "zc" / "runner.py"
    with pytest.raises(SwapError, match=r"there is no runner 'zcc' in .*; there are zc$"):
        launcher.find_runner("zcc")


def test_a_naslib_without_runners_says_so(root: Path, monkeypatch):
    monkeypatch.setenv(checkout.ROOT_VARIABLE, str(root))
    with pytest.raises(SwapError, match=r"has no runners.*set NASLIB_ROOT"):
        launcher.find_runner("zc")


def test_no_naslib_at_all_says_what_to_do(root: Path):
    assert checkout.find() is None
    with pytest.raises(SwapError, match="no NASLib checkout was found"):
        launcher.find_runner("zc")
