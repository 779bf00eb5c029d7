"""Installing puts the start-up files into site-packages, uninstalling leaves nothing."""

from __future__ import annotations

import shutil
import subprocess
import venv
from pathlib import Path

import pytest

from naslib_swap.plugin import hook

PROJECT = Path(hook.__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (PROJECT / "setup.py").is_file(), reason="not a checkout"),
]

ON = "import sys; print(any(type(f).__module__.startswith('naslib_swap') for f in sys.meta_path))"


def files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if "__pycache__" not in path.parts}


@pytest.mark.parametrize("mode", [[], ["--editable"]])
def test_install_and_uninstall(tmp_path: Path, mode: list[str]):
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    python = next(home.glob("*/python"))
    before = files(home)
    # A copy: building leaves a folder behind in the project.
    project = tmp_path / "project"
    skipped = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "tests", "docs")
    shutil.copytree(PROJECT, project, ignore=skipped)
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--no-deps", *mode, str(project)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "No matching distribution found for setuptools" in installed.stdout + installed.stderr:
        pytest.skip("no package index to take setuptools from")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    started = subprocess.run([python, "-c", ON], capture_output=True, text=True, check=True)
    assert started.stdout.strip() == "True"
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "naslib-swap"], check=True)
    assert files(home) - before == set()
    stopped = subprocess.run([python, "-c", ON], capture_output=True, text=True, check=True)
    assert stopped.stdout.strip() == "False"
