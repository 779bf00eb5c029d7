"""The import hook: what it touches, what it leaves alone, and that it cannot break an import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from naslib_swap.plugin import hook, startup

ROOT = Path(hook.__file__).parents[2]
SITE = Path(hook.__file__).parent / "site"


def python(
    code: str, path: Path | None = None, *options: str, **environment: str
) -> subprocess.CompletedProcess:
    """Run code in a fresh interpreter; with the option `-S` nothing installed is there."""
    env = {**os.environ, "NASLIB_SWAP_DISABLE": "", **environment}
    env["PYTHONPATH"] = os.pathsep.join(str(p) for p in (path, ROOT) if p)
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )


@pytest.fixture
def empty_naslib(tmp_path: Path) -> Path:
    """A NASLib whose modules exist and hold nothing."""
    for name in {**hook.PATCHES, **hook.BEFORE}:
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            folder = tmp_path.joinpath(*parts[:end])
            folder.mkdir(exist_ok=True)
            (folder / "__init__.py").touch()
    return tmp_path


def test_start_imports_neither_torch_nor_naslib_and_may_run_twice():
    result = python(
        "import sys\n"
        "from naslib_swap.plugin.startup import start\n"
        "start(); start()\n"
        "finders = [f for f in sys.meta_path if type(f).__module__.startswith('naslib_swap')]\n"
        "heavy = {'torch', 'naslib', 'numpy', 'sklearn', 'logging', 'typing'} & set(sys.modules)\n"
        "print(len(finders), sorted(heavy))",
        None,
        "-S",
    )
    assert result.stdout.strip() == "1 []", result.stderr


def test_a_damaged_plugin_does_not_keep_naslib_from_importing(empty_naslib: Path):
    result = python(
        "import sys\n"
        "from naslib_swap.plugin.startup import start\n"
        "start()\n"
        "sys.modules['naslib_swap.plugin.hook'] = None\n"
        "import naslib.utils\n"
        "print('fine')",
        empty_naslib,
    )
    assert result.stdout.strip() == "fine"
    assert len(result.stderr.splitlines()) == 1
    assert "reinstall it" in result.stderr


def test_the_kill_switch_keeps_the_hook_out():
    code = (
        "from naslib_swap.plugin import hook, startup\n"
        "hook.uninstall(); startup.start(); print(hook.is_installed())"
    )
    assert python(code, NASLIB_SWAP_DISABLE="1").stdout.strip() == "False"
    assert python(code, NASLIB_SWAP_DISABLE="0").stdout.strip() == "True"


def test_a_naslib_without_the_expected_names_imports_with_one_warning(empty_naslib: Path):
    names = sorted(hook.PATCHES)
    code = (
        "from importlib import import_module\n"
        "from naslib_swap.plugin import hook\n"
        "hook.install()\n"
        f"for name in {names}: import_module(name)\n"
        "print(len(hook.problems))"
    )
    result = python(code, empty_naslib)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 5
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith("naslib-swap: ")
    assert "naslib-swap doctor" in result.stderr


def test_a_patched_module_looks_as_if_its_own_loader_had_loaded_it(empty_naslib: Path):
    result = python(
        "from naslib_swap.plugin import hook\n"
        "hook.install()\n"
        "import naslib\n"
        "print(type(naslib.__loader__).__name__, type(naslib.__spec__.loader).__name__)",
        empty_naslib,
    )
    assert result.stdout.split() == ["SourceFileLoader", "SourceFileLoader"]


def test_an_error_in_naslib_itself_is_not_hidden(tmp_path: Path):
    (tmp_path / "naslib").mkdir()
    (tmp_path / "naslib" / "__init__.py").write_text("raise OSError('its own fault')\n")
    result = python("from naslib_swap.plugin import hook\nhook.install()\nimport naslib", tmp_path)
    assert "OSError: its own fault" in result.stderr


def test_other_packages_are_not_looked_at(tmp_path: Path):
    (tmp_path / "naslibrary.py").write_text("import naslib_that_is_nowhere\n")
    result = python(
        "from naslib_swap.plugin import hook\nhook.install()\nimport naslibrary", tmp_path
    )
    assert "No module named 'naslib_that_is_nowhere'" in result.stderr
    assert startup.Finder().find_spec("naslibrary") is None
    assert startup.Finder().find_spec("torch") is None


def test_modules_imported_before_install_are_patched_too(empty_naslib: Path):
    (empty_naslib / "naslib/search_spaces/core/graph/__init__.py").write_text(
        "class Graph:\n"
        "    instantiate_model = sample_without_replacement = False\n"
        "    def clone(self): return None\n"
    )
    result = python(
        "from naslib.search_spaces.core.graph import Graph\n"
        "from naslib_swap.plugin import hook\n"
        "hook.install()\n"
        "print(type(Graph().clone()).__name__)",
        empty_naslib,
    )
    assert result.stdout.strip() == "Graph", result.stderr


def test_the_checkout_is_found_from_the_running_script(empty_naslib: Path):
    script = empty_naslib / "naslib" / "runners" / "zc" / "runner.py"
    script.parent.mkdir(parents=True)
    script.write_text("import naslib; print(naslib.__file__)")
    (empty_naslib / "naslib" / "search_spaces" / "__init__.py").touch()
    result = python(
        "import runpy, sys\n"
        "from naslib_swap.plugin import hook\n"
        "hook.install()\n"
        f"sys.argv = [{str(script)!r}]\n"
        f"runpy.run_path({str(script)!r}, run_name='__main__')",
        None,
        "-S",
    )
    assert result.stdout.strip() == str(empty_naslib / "naslib" / "__init__.py"), result.stderr


@pytest.fixture
def site_folder(tmp_path: Path) -> Path:
    """A folder with the start-up file and a copy of the package, as site-packages has them."""
    folder = tmp_path / "site"
    shutil.copytree(
        Path(hook.__file__).parents[1],
        folder / "naslib_swap",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(SITE / "naslib_swap.pth", folder)
    return folder


def begin(site_folder: Path, code: str, cwd: Path, **environment: str):
    """Process the start-up file as an interpreter does, then run code."""
    code = f"import site, sys; site.addsitedir({str(site_folder)!r}); {code}"
    env = {**os.environ, "NASLIB_SWAP_DISABLE": "", "PYTHONPATH": "", **environment}
    return subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        env=env,
        cwd=cwd,
        check=False,
    )


FINDERS = "print([type(f).__module__ for f in sys.meta_path if type(f).__name__ == 'Finder'])"


def test_the_start_up_file_is_one_line_and_switches_on(site_folder: Path, tmp_path: Path):
    line = (SITE / "naslib_swap.pth").read_text()
    assert line.startswith("import ")
    assert line.count("\n") == 1, "site executes a .pth file line by line"
    result = begin(site_folder, FINDERS + "; print('naslib_swap' in sys.modules)", tmp_path)
    assert result.stdout.split("\n")[:2] == ["['naslib_swap.plugin.startup']", "False"]
    assert result.stderr == ""
    again = begin(site_folder, FINDERS, tmp_path, NASLIB_SWAP_DISABLE="1")
    assert again.stdout.strip() == "[]"


def test_an_editable_install_is_found_through_the_path(tmp_path: Path):
    (tmp_path / "naslib_swap.pth").write_text((SITE / "naslib_swap.pth").read_text())
    result = begin(tmp_path, FINDERS, tmp_path, PYTHONPATH=str(ROOT))
    assert result.stdout.strip() == "['naslib_swap.plugin.startup']", result.stderr


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        ("raise SystemExit(3)", "SystemExit"),
        ("def start(): raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("1 / 0", "ZeroDivisionError"),
        ("def", "SyntaxError"),
        ("import no_such_module_here", "ModuleNotFoundError"),
        ("x = 3", "AttributeError"),
    ],
)
def test_a_damaged_start_up_is_one_line_and_python_goes_on(
    site_folder: Path, tmp_path: Path, damage: str, name: str
):
    (site_folder / "naslib_swap" / "plugin" / "startup.py").write_text(damage + "\n")
    result = begin(site_folder, "print('fine')", tmp_path)
    assert (result.stdout.strip(), result.returncode) == ("fine", 0)
    assert result.stderr == (
        f"naslib-swap: its start-up failed ({name}); reinstall or uninstall it\n"
    )


def test_the_working_folder_cannot_stand_in_for_the_package(site_folder: Path, tmp_path: Path):
    other = tmp_path / "naslib_swap" / "plugin"
    other.mkdir(parents=True)
    for folder in (other.parent, other):
        (folder / "__init__.py").write_text("print('the wrong one')\n")
    (other / "startup.py").write_text("print('the wrong one')\n")
    # An empty entry is the working folder.
    for path in ("", os.pathsep, f"{os.pathsep}{tmp_path / 'nowhere'}"):
        result = begin(site_folder, FINDERS, tmp_path, PYTHONPATH=path)
        assert result.stdout.strip() == "['naslib_swap.plugin.startup']", result.stderr


def test_a_start_up_file_left_behind_says_nothing(tmp_path: Path):
    shutil.copy(SITE / "naslib_swap.pth", tmp_path)
    result = begin(tmp_path, "print('fine')", tmp_path)
    assert (result.stdout.strip(), result.stderr) == ("fine", "")
