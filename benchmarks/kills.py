"""kill -9 at random moments: what is resumed is the same, byte for byte, and no process is left.

    python benchmarks/kills.py [--kills 40] [--seed 0] [--only search,workers]

Takes turns at commands on tiny inputs, with two workers. The command alone is killed, as by an
operating system that is out of memory: its workers have to notice. It is then started again, and
killed again, until it has been killed its share of times; the last run is left to end. `workers`
kills workers of a table instead, and `scheduler` and `cluster` the scheduler and the workers of a
Dask cluster that computes one: the first ends the command with a sentence, the others cost nothing.
Times are left out of the comparison: --no-timings, the "time" of each score, the seconds of a
search and of an encoder.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from naslib_swap import spaces
from naslib_swap.flexibert.benchmark import AVERAGE, TASKS
from naslib_swap.flexibert.encoder import parse, to_dict

SECONDS_TO_GO = 10
SECONDS_TO_GO_OF_RAY = 120  # its own two agents look for their parent that seldom
ARCHS = 24
APART = 12  # lines, of four architectures
Command = Callable[[Path, Path], list[str]]
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
    layers = ("SA-SDP-2-512x1", "SA-WMA-4-512x1", "LT-DFT-2-512x1", "LT-DCT-4-512x1")
    encoders = [
        {
            "id": number,
            "scores": {task: float(number % 7) for task in (*TASKS, AVERAGE)},
            "hparams": {"model_hparam_overrides": to_dict(parse(f"128/{first}/{second}"))},
        }
        for number, (first, second) in enumerate(product(layers, repeat=2))
    ]
    (folder / "encoders.json").write_text(json.dumps(encoders))
    (folder / "text.txt").write_text("the cat sat\nthe dog sat on the mat\na mat and a cat\n" * 4)


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
            "30", "--in-flight", "4", "--workers", "2", "--quiet", "--out", str(out),
            *again]  # fmt: skip


def search_dask(folder: Path, out: Path) -> list[str]:
    return [*search(folder, out), "--backend", "dask"]


def search_ray(folder: Path, out: Path) -> list[str]:
    return [*search(folder, out), "--backend", "ray"]


def score(folder: Path, out: Path) -> list[str]:
    return ["score", f"{folder / 'net.py'}:make", "--input-shape", "3,8,8", "--samples", "16",
            "--repeats", "100", "--json"]  # fmt: skip


def flexibert(folder: Path, out: Path) -> list[str]:
    return ["flexibert", "--benchmark", str(folder / "encoders.json"), "--text",
            str(folder / "text.txt"), "--tokenizer", "trained", "--samples", "4", "--length", "8",
            "--proxies", "swap,params,depth", "--workers", "2", "--quiet", "--out",
            str(out)]  # fmt: skip


def without_times(found: object) -> object:
    if isinstance(found, dict):
        return {name: without_times(one) for name, one in found.items() if name != "time"}
    return found


def result_of(command: Command, out: Path) -> dict[str, object]:
    """Return what a command leaves, by the names of files."""
    if command is precompute:
        return {"table": without_times(json.loads((out / "table.json").read_text()))}
    if command is flexibert:
        found = pd.read_csv(out / "table-i.csv").drop(columns="seconds_per_arch")
        return {"table-i.csv": found.to_csv(), "tasks.csv": (out / "tasks.csv").read_bytes()}
    names = {
        table: ("correlations.csv", "correlations.md", "report.html"),
        **dict.fromkeys((search, search_dask, search_ray), ("history.jsonl", "architecture.txt")),
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


Moment = Callable[[], bool]
Strike = Callable[[int], bool]


def the_command(pid: int) -> bool:
    os.kill(pid, signal.SIGKILL)
    return True


def a_worker_of(out: Path, chance: random.Random) -> Strike:
    """Kill workers, but none twice on one architecture, which then counts as its fault."""
    next_at = 0

    def strike(pid: int) -> bool:
        nonlocal next_at
        if lines(out) < next_at:
            return False
        found = [
            one
            for one in left(pid)
            if b"popen_loky" in Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ")
        ]
        if found:
            next_at = lines(out) + APART
            os.kill(chance.choice(found), signal.SIGKILL)
        return bool(found)

    return strike


def run(
    arguments: list[str],
    out: Path,
    moments: Sequence[Moment] = (),
    strike: Strike = the_command,
    statuses: tuple[int, ...] = (0, -signal.SIGKILL),
) -> int:
    """Run a command and strike when a moment has come; return how often that was."""
    out.mkdir(exist_ok=True)
    code = "from naslib_swap.cli.main import main; main()"
    waiting, struck = list(moments), 0
    with open(out / "printed", "wb") as printed, open(out / "errors", "wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdout=printed,
            stderr=errors,
            start_new_session=True,
        )
        while process.poll() is None:
            if waiting and waiting[0]() and strike(process.pid):
                struck += 1
                del waiting[0]
            time.sleep(0.01)
    errors_of = (out / "errors").read_text()
    if process.returncode not in statuses or "Traceback" in errors_of:
        sys.exit(f"{arguments[0]} ended with {process.returncode}: {errors_of}")
    limit = SECONDS_TO_GO_OF_RAY if "ray" in arguments else SECONDS_TO_GO
    end = time.monotonic() + limit
    while left(process.pid) and time.monotonic() < end:
        time.sleep(0.1)
    if left(process.pid):
        sys.exit(f"{arguments[0]}: {limit} s later {left(process.pid)} are left")
    return struck


def moments_of(out: Path, total: int, count: int, chance: random.Random) -> list[Moment]:
    """Moments when a command has stored so much of what it will store."""
    wanted = [(number + chance.random()) * total / (count + 1) for number in range(count)]
    return [lambda least=least: lines(out) > least for least in wanted]


def kill(command: Command, folder: Path, kills: int, chance: random.Random) -> tuple[int, bool]:
    """Kill a command so many times; return how often that succeeded, and whether all is as else."""
    whole, killed = folder / f"{command.__name__}-whole", folder / command.__name__
    start = time.monotonic()
    run(command(folder, whole), whole)
    seconds = time.monotonic() - start
    moments = moments_of(killed, lines(whole), kills, chance)
    done = 0
    # The first while it loads, and all of one that stores nothing.
    for number in range(kills):
        moment = moments[number]
        if not lines(whole) or not number:
            end = time.monotonic() + chance.uniform(0.1, 0.6) * seconds
            moment = lambda end=end: time.monotonic() > end  # noqa: E731
        done += run(command(folder, killed), killed, [moment])
    run(command(folder, killed), killed)
    return done, result_of(command, killed) == result_of(command, whole)


def workers(folder: Path, kills: int, chance: random.Random) -> tuple[int, bool]:
    """Kill workers of a table, each time another one, while the command goes on."""
    whole, struck = folder / "workers-whole", folder / "workers"
    run(table(folder, whole), whole)
    moments = moments_of(struck, lines(whole), kills, chance)
    done = run(table(folder, struck), struck, moments, a_worker_of(struck, chance))
    return done, result_of(table, struck) == result_of(table, whole)


@contextmanager
def dask(folder: Path, script: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{script}", *arguments, "--no-dashboard",
         "--scheduler-file", str(folder / "scheduler.json")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def on_dask(folder: Path, out: Path, whom: str, count: int, chance: random.Random) -> int:
    """Compute a table on a cluster of two workers, killing its scheduler or its workers."""
    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    with ExitStack() as stack:

        def started(script: str, *arguments: str) -> subprocess.Popen[bytes]:
            return stack.enter_context(dask(folder, script, *arguments))

        scheduler = started("dask_scheduler", "--port", "0")
        crew = [started("dask_worker", "--no-nanny", "--nthreads", "1") for _ in range(2)]
        while not file.exists():
            time.sleep(0.1)

        def strike(pid: int) -> bool:
            if whom == "scheduler":
                scheduler.kill()
            else:
                crew.pop(chance.randrange(2)).kill()
                crew.append(started("dask_worker", "--no-nanny", "--nthreads", "1"))
            return True

        address = json.loads(file.read_text())["address"]
        where = ["--backend", "dask", "--address", address]
        if whom == "scheduler":
            least = lines(out) + chance.uniform(0, ARCHS)
            moments = [lambda: lines(out) > least]
        else:
            moments = moments_of(out, lines(folder / f"{whom}-whole"), count, chance)
        return run([*table(folder, out), *where], out, moments, strike, (0, 2))


def clusters(whom: str) -> Callable[[Path, int, random.Random], tuple[int, bool]]:
    def kill_them(folder: Path, kills: int, chance: random.Random) -> tuple[int, bool]:
        whole, struck = folder / f"{whom}-whole", folder / whom
        run(table(folder, whole), whole)
        each = [1] * kills if whom == "scheduler" else [kills]
        done = sum(on_dask(folder, struck, whom, count, chance) for count in each)
        run(table(folder, struck), struck)  # the rest, on another backend
        return done, result_of(table, struck) == result_of(table, whole)

    return kill_them


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    ways = {
        **{
            command.__name__: partial(kill, command)
            for command in (table, precompute, search, search_dask, search_ray, score, flexibert)
        },
        "workers": workers,
        "scheduler": clusters("scheduler"),
        "cluster": clusters("cluster"),
    }
    chosen = given.only.split(",") if given.only else list(ways)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["NASLIB_SWAP_CACHE"] = str(folder / "cache")
        prepare(folder)
        for way in chosen:
            kills, same = ways[way](folder, given.kills // len(chosen), chance)
            assert same, way
            print(f"{way}: {kills} kills, same bytes, nothing left", flush=True)


if __name__ == "__main__":
    main()
