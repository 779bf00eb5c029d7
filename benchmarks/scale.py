"""What a store of very many scores costs: time and memory by number of lines.

    python benchmarks/scale.py [--lines 10000 100000 1000000] > scale.md

The scores are made up and written through the project's own stores: of 10,000 networks of
NAS-Bench-201 by up to ten proxies under up to ten seeds. Then the whole is asked for again, so that
nothing is left to score. Each cell is a process of its own: its seconds, and its peak of resident
memory less that of a process that has only imported what it needs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice, product
from pathlib import Path

from naslib_swap import compare
from naslib_swap.evaluation import results  # noqa: F401  what compare imports when it is needed
from naslib_swap.evaluation.plan import Plan
from naslib_swap.evaluation.planning import study_of
from naslib_swap.scoring.record import Key, Record, Score
from naslib_swap.scoring.runs import run
from naslib_swap.scoring.store import SCORES, DatabaseStore, LineStore, Store
from naslib_swap.scoring.study import Study, gather, recipes_of, survey
from naslib_swap.seeding import derived_seed

PROXIES = ("depth", "flops", "grad_norm", "jacov", "l2_norm", "nwot", "params", "plain", "swap",
           "synflow")  # fmt: skip
MOST_ARCHS = 10_000
BLOCK = 10_000
STEPS = ("write", "survey", "run", "gather", "table")


def plan(lines: int, folder: Path) -> Plan:
    truth = folder / "accuracies.csv"
    if not truth.exists():
        archs = islice(product(range(5), repeat=6), MOST_ARCHS)
        rows = [f'"{arch}",{made_up(str(arch))}\n' for arch in archs]
        truth.write_text("arch,val_accuracy\n" + "".join(rows))
    each = lines // MOST_ARCHS
    seeds = min(10, each)
    return Plan(archs=None, proxies=PROXIES[: each // seeds], seeds=seeds, truth_file=str(truth))


def made_up(*names: str) -> float:
    return derived_seed(0, *names) / 2**63


def records(study: Study) -> Iterator[Record]:
    for (proxy, seed), recipe in recipes_of(study).items():
        for arch in study.distinct():
            key = Key(study.space, study.task, arch, proxy, seed, recipe.id)
            value = made_up(proxy, str(seed), arch)
            yield Record(key, Score(value, 0.1, None, value / 2), recipe)


def write(study: Study, store: Store) -> None:
    made = records(study)
    with store if isinstance(store, LineStore) else nullcontext():
        for block in iter(lambda: list(islice(made, BLOCK)), []):
            store.append(block)


def step(name: str, asked: Plan, folder: Path, store: Store) -> None:
    """Do one thing in this process; print its seconds."""
    study, _ = study_of(asked)
    start = time.process_time()
    if name == "write":
        write(study, store)
    elif name == "survey":
        survey([study], store.records())
    elif name == "run":
        assert run([study], store) == 0
    elif name == "gather":
        gather([study], store)
    elif name == "table":
        compare(asked, out=folder)
    print(time.process_time() - start, peak())


def peak() -> float:
    """MB of resident memory at the peak. Not of getrusage, which counts the parent's too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def measured(name: str, lines: int, folder: Path, database: bool) -> tuple[float, float]:
    command = [sys.executable, __file__, "--step", name, "--lines", str(lines), "--in", str(folder)]
    done = subprocess.run(
        command + ["--database"] * database, check=True, capture_output=True, text=True
    )
    seconds, peak = map(float, done.stdout.split()[-2:])
    return seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--step", choices=(*STEPS, "nothing"), help=argparse.SUPPRESS)
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--database", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        folder: Path = given.folder
        store = (
            DatabaseStore(folder / "scores.sqlite")
            if given.database
            else LineStore(folder / SCORES)
        )
        step(given.step, plan(given.lines[0], folder), folder, store)
        return
    print("| lines | store | MB | " + " | ".join(STEPS) + " |")
    print("|---" * (3 + len(STEPS)) + "|")
    for lines in given.lines:
        for database in (False, True):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                _, floor = measured("nothing", lines, folder, database)
                cells = []
                for one in STEPS[:4] if database else STEPS:
                    seconds, top = measured(one, lines, folder, database)
                    cells.append(f"{seconds:.1f} s, {top - floor:.0f} MB")
                kind = "SQLite" if database else "lines"
                size = sum(file.stat().st_size for file in folder.glob("scores.*")) / 1e6
                print(f"| {lines:,} | {kind} | {size:.0f} | {' | '.join(cells)} |", flush=True)
        print(f"\nBefore anything is read: {floor:.0f} MB.", file=sys.stderr)


if __name__ == "__main__":
    main()
