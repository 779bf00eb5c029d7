"""kill -9 at random moments: what is resumed is the same, byte for byte, and no process is left.

    python benchmarks/kills.py [--kills 40] [--seed 0]

Takes turns at four commands on tiny inputs, with two workers. The command alone is killed, as by
an operating system that is out of memory: its workers have to notice. It is then started again,
and killed again, until it has been killed its share of times; the last run is left to end. Times
are left out of the comparison: --no-timings, the "time" of each score, the seconds of a search.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from naslib_swap import spaces

SECONDS_TO_GO = 10
ARCHS = 24
NETWORK = """
from torch import nn
def make():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 8), nn.ReLU())
"""


def prepare(folder: Path) -> None:
    space, rng = spaces.get("nasbench201"), np.random.default_rng(0)
    archs = {space.encode(space.sample(rng)) for _ in range(ARCHS)}
    rows = [f'"{arch}",{number}\n' for number, arch in enumerate(sorted(archs))]
    (folder / "truth.csv").write_text("arch,val_accuracy\n" + "".join(rows))
    (folder / "net.py").write_text(NETWORK)


def table(folder: Path, out: Path) -> list[str]:
    return ["table", "--truth-file", str(folder / "truth.csv"), "--archs", "all", "--proxies",
            "swap,synflow,params", "--samples", "8", "--seeds", "4", "--workers", "2",
            "--no-timings", "--quiet", "--out", str(out)]  # fmt: skip


def precompute(folder: Path, out: Path) -> list[str]:
    return ["precompute", "--truth-file", str(folder / "truth.csv"), "--proxies",
            "swap,synflow,params", "--samples", "32", "--workers", "2", "--quiet", "--out",
            str(out / "table.json")]  # fmt: skip


def search(folder: Path, out: Path) -> list[str]:
    again = ["--resume"] if (out / "checkpoint.json").exists() else []
    return ["search", "--space", "nasbench201", "--samples", "8", "--population", "6", "--cycles",
            "30", "--workers", "2", "--quiet", "--out", str(out), *again]  # fmt: skip


def score(folder: Path, out: Path) -> list[str]:
    return ["score", f"{folder / 'net.py'}:make", "--input-shape", "3,8,8", "--samples", "16",
            "--repeats", "100", "--json"]  # fmt: skip


def without_times(found: object) -> object:
    if isinstance(found, dict):
        return {name: without_times(one) for name, one in found.items() if name != "time"}
    return found


def result_of(command: Callable[[Path, Path], list[str]], out: Path) -> dict[str, object]:
    """Return what a command leaves, by the names of files."""
    if command is precompute:
        return {"table": without_times(json.loads((out / "table.json").read_text()))}
    names = {
        table: ("correlations.csv", "correlations.md", "report.html"),
        search: ("history.jsonl", "architecture.txt"),
        score: ("printed",),
    }[command]
    return {name: (out / name).read_bytes() for name in names}


def left(session: int) -> list[int]:
    """Return the processes of a session that live."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, owner = entry.read_text().rpartition(") ")[2].split()[:4]
        except OSError:  # it just ended
            continue
        if int(owner) == session and state != "Z":
            found.append(int(entry.parent.name))
    return found


def lines(out: Path) -> int:
    """Count the lines that a command has stored."""
    return sum(path.read_bytes().count(b"\n") for path in out.glob("*.jsonl"))


def run(arguments: list[str], out: Path, due: Callable[[], bool] = lambda: False) -> bool:
    """Run a command, kill it when that is due; tell whether it was killed before it ended."""
    out.mkdir(exist_ok=True)
    code = "from naslib_swap.cli.main import main; main()"
    with open(out / "printed", "wb") as printed, open(out / "errors", "wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdout=printed,
            stderr=errors,
            start_new_session=True,
        )
        while process.poll() is None and not due():
            time.sleep(0.01)
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        process.wait()
        end = time.monotonic() + SECONDS_TO_GO
        while left(process.pid) and time.monotonic() < end:
            time.sleep(0.1)
        if left(process.pid):
            sys.exit(f"{arguments[0]}: {SECONDS_TO_GO} s later {left(process.pid)} are left")
        return True
    if process.returncode:
        errors_of = (out / "errors").read_text()
        sys.exit(f"{arguments[0]} ended with {process.returncode}: {errors_of}")
    return False


def kill(
    command: Callable[[Path, Path], list[str]], folder: Path, kills: int, chance: random.Random
) -> tuple[int, bool]:
    """Kill a command so many times; return how often that succeeded, and whether all is as else."""
    whole, killed = folder / f"{command.__name__}-whole", folder / command.__name__
    start = time.monotonic()
    run(command(folder, whole), whole)
    seconds = time.monotonic() - start
    total = lines(whole)
    done = 0
    # The first while it loads, and all of one that stores nothing.
    for number in range(kills):
        if total and number:
            wanted = (number - 1 + chance.random()) * total / kills
            done += run(command(folder, killed), killed, lambda w=wanted: lines(killed) > w)
        else:
            end = time.monotonic() + chance.uniform(0.1, 0.6) * seconds
            done += run(command(folder, killed), killed, lambda e=end: time.monotonic() > e)
    run(command(folder, killed), killed)
    return done, result_of(command, killed) == result_of(command, whole)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["NASLIB_SWAP_CACHE"] = str(folder / "cache")
        prepare(folder)
        for command in (table, precompute, search, score):
            kills, same = kill(command, folder, given.kills // 4, chance)
            assert same, command.__name__
            print(f"{command.__name__}: {kills} kills, same bytes, nothing left", flush=True)


if __name__ == "__main__":
    main()
