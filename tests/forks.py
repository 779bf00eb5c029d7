"""Commands in processes of their own that need not import torch again: forks of one that did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# What others wrote is imported before a fork, what is ours after it: as if it were the first time.
_PARENT = """
import json, os, sys
import pandas, scipy.stats, torch, typer
while True:
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    job = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
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
