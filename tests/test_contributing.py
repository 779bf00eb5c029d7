"""The examples of CONTRIBUTING.md: one file each, through every door."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parent.parent / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH with the guide's files, and the entry points that it names."""
    folder = tmp_path_factory.mktemp("site")
    text = GUIDE.read_text(encoding="utf-8")
    (folder / "my_package").mkdir()
    for name, code in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", text, re.S):
        (folder / "my_package" / name).write_text(code)
    points = re.search(r"```ini\n\[options.entry_points\]\n(.*?)```", text, re.S)[1]
    points = re.sub(r"^(\S+) =\n", r"[\1]\n", points, flags=re.M)
    info = folder / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(points)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    return folder


@pytest.fixture
def call(package, tmp_path, forks):
    def run(*arguments: object, status: int = 0) -> str:
        done = forks.run(
            "from naslib_swap.cli.main import main; main()",
            *map(str, arguments),
            folder=tmp_path,
            environment=_environment(package),
        )
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    return run


def _environment(package: Path) -> dict[str, str]:
    before = [path] if (path := os.environ.get("PYTHONPATH")) else []
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(package), *before])}


def test_table(package, tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "naslib_swap.cli", "table", "--space", "towers"),
            *("--archs", "12", "--proxies", "widest,params,depth,swap", "--samples", "4"),
            *("--workers", "2"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
        env=_environment(package),
    )
    assert done.returncode == 0, done.stderr
    assert "Widest layer" in done.stdout
    assert "accuracies: tower-heights" in done.stdout + done.stderr
    found = (tmp_path / "results" / "correlations.csv").read_text()
    assert re.search(r"^widest,towers,cifar10,12,", found, re.M)


def test_precompute(call, tmp_path):
    call(
        "precompute", "--space", "towers", "--proxies", "widest", "--workers", 1, "--out", "z.json"
    )
    rows = json.loads((tmp_path / "z.json").read_text())["cifar10"]
    assert len(rows) == 3**2 + 3**3
    assert rows["4-16-8"]["widest"]["score"] == 16
    assert rows["4-16-8"]["val_accuracy"] == 28


def test_search(call, tmp_path):
    call(
        "search", "--space", "towers", "--proxy", "widest", "--population", 4, "--cycles", 2,
        "--samples", 4, "--workers", 1, "--plain",
    )  # fmt: skip
    found = json.loads((tmp_path / "search" / "result.json").read_text())
    assert "16" in found["found"]


def test_score(call, tmp_path):
    (tmp_path / "models.py").write_text(
        "from torch import nn\n"
        "def small():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(48, 7), nn.ReLU(), nn.Linear(7, 10))\n"
    )
    printed = call(
        "score", "models.py:small", "--input-shape", "3,4,4", "--proxies", "swap,widest", "--json"
    )
    assert json.loads(printed.splitlines()[-1])["widest"] == 10


def test_an_unknown_proxy_lists_the_third_partys_too(call):
    assert "widest" in call("table", "--proxies", "wider", "--quiet", status=2)


def test_naslibs_registry(package, tmp_path, forks):
    """NASLib, here a stand-in, has the proxy among its measures, and scores the space by it."""
    script = (
        "from naslib_swap.plugin import hook, live\n"
        "hook.install()\n"
        "from naslib.predictors.utils.pruners.measures import available_measures\n"
        "print('widest' in available_measures)\n"
        "print(live.score('towers', 'cifar10', '4-16', 'widest')['score'])\n"
    )
    stand_in = Path(__file__).parent / "plugin" / "standin"
    environment = _environment(package)
    environment["PYTHONPATH"] += os.pathsep + str(stand_in)
    environment["NASLIB_SWAP_CACHE"] = str(tmp_path)
    done = forks.run(script, folder=tmp_path, environment=environment)
    assert done.stdout.splitlines() == ["True", "16.0"], done.stderr
