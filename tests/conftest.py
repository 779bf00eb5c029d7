"""Fixtures shared by all tests."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import hypothesis
import numpy as np
import pytest

# A busy machine is no failure.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Before torch: threads of small operations wait for each other, busily, on cores that others need.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real benchmark tables, images and text, or a skip."""
    folder = os.environ.get("NASLIB_SWAP_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("NASLIB_SWAP_DATA does not name a folder with the benchmark data")
    return Path(folder)


@pytest.fixture(scope="session")
def naslib_root() -> Path:
    """A NASLib checkout (the folder that contains `naslib/`), or a skip."""
    named = os.environ.get("NASLIB_ROOT")
    if named and (Path(named) / "naslib" / "__init__.py").is_file():
        return Path(named)
    spec = importlib.util.find_spec("naslib")
    if spec and spec.origin:
        return Path(spec.origin).parent.parent
    pytest.skip("NASLib is neither importable nor under NASLIB_ROOT")


# What others wrote is imported before a fork, what is ours after it: as if it were the first time.
_PARENT = """
import json, os, signal, sys
import pandas, scipy.stats, torch._dynamo, typer
while True:
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    job = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
signal.alarm(300)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
for stream, path in ((1, job["stdout"]), (2, job["stderr"])):
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
os.chdir(job["folder"])
os.environ.clear()
os.environ.update(job["environment"])
sys.path[1:1] = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
sys.argv[1:] = job["arguments"]
exec(compile(job["code"], "<string>", "exec"), {"__name__": "__main__"})
"""


class Forks:
    """A process that imported torch, and what its forks do: `python -c CODE ARGUMENTS...`."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._parent = subprocess.Popen(
            [sys.executable, "-c", _PARENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def run(
        self, code: str, *arguments: str, folder: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        stdout, stderr = self._scratch / "stdout", self._scratch / "stderr"
        job = {"code": code, "arguments": arguments, "folder": str(folder)}
        job |= {"stdout": str(stdout), "stderr": str(stderr)}
        job["environment"] = dict(os.environ if environment is None else environment)
        assert self._parent.stdin
        assert self._parent.stdout
        self._parent.stdin.write(json.dumps(job) + "\n")
        self._parent.stdin.flush()
        status = int(self._parent.stdout.readline())
        return subprocess.CompletedProcess(
            [code, *arguments], status, stdout.read_text(), stderr.read_text()
        )

    def close(self) -> None:
        self._parent.communicate()


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """What starts commands in processes that need not import torch."""
    found = Forks(tmp_path_factory.mktemp("forks"))
    yield found
    found.close()


@pytest.fixture
def no_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the drawing out, which takes most of the time of a small search."""
    for name in ("draw_cells", "draw_curve", "draw_front"):
        monkeypatch.setattr(f"naslib_swap.optimizers.drawing.{name}", lambda *_: None)


@pytest.fixture(scope="session")
def genotypes() -> tuple[str, ...]:
    """Eight architectures of the DARTS space, whose tiny networks score in milliseconds."""
    from naslib_swap import spaces

    space, rng = spaces.get("darts"), np.random.default_rng(0)
    return tuple(space.encode(space.canonical(space.sample(rng))) for _ in range(8))
