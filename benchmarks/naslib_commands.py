"""Every command of docs/naslib.md and docs/search.md in an unmodified NASLib, on several Pythons.

    python benchmarks/naslib_commands.py run NASLIB_CHECKOUT 3.11.json   # once in each environment
    python benchmarks/naslib_commands.py table 3.9.json 3.11.json 3.13.json

`run` writes what each command ended with and what it found; each starts in a folder of its own,
with nothing kept from the one before. `table` prints them side by side, and ends with 1 where two
environments differ. NASLIB_SWAP_DATA names the benchmarks' tables.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

RUNNERS = "naslib/runners"
BBO_WITH_SCORES = (
    "--search.predictor_type xgb --search.zc True --search.zc_names swap,reg_swap "
    "--search.use_zc_api True --search.acq_fn_optimization random_sampling "
    "--search.load_labeled True"
)
QUERY = """
from naslib.predictors import ZeroCost
from naslib.search_spaces import get_search_space
from torch import nn
import torch
graph = get_search_space("nasbench201", "cifar10")
graph.set_spec((0, 2, 3, 2, 3, 1))
torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
images = torch.rand(16, 3, 6, 6, generator=torch.Generator().manual_seed(0))
labels = torch.zeros(16, dtype=torch.long)
values = [ZeroCost("swap").query(graph), ZeroCost("swap").query(net, dataloader=[(images, labels)])]
print("values", *map(int, values))
"""


class Entry(NamedTuple):
    """A command: what is typed, its status, what it needs, why its value may differ."""

    typed: str
    status: int = 0
    needs: str = ""
    differs: str = ""


ENTRIES = [
    Entry("zc --predictor swap"),
    Entry("zc --predictor reg_swap"),
    Entry("zc predictor swap test_size 50"),
    Entry("zc --predictor depth --test_size 50"),
    *(Entry(f"zc --predictor {name} --test_size 10")
      for name in ("near", "expressivity", "l_swag")),
    Entry("zc --predictor swap --search_space transbench101_micro --dataset jigsaw --seed 3 "
          "--test_size 10"),
    *(Entry(f"zc --config-file configs/zc/{name}.yaml --test_size 10") for name in (
        "nasbench101_cifar10", "nasbench201_cifar100", "nasbench201_ImageNet16-120",
        "nasbench301_cifar10", "transbench101_micro_class_scene",
        "transbench101_macro_class_scene",
    )),
    Entry("zc --predictor swap --swap.samples 32 --test_size 50"),
    Entry("zc/benchmarks --predictor swap --start_idx 0 --n_models 4"),
    Entry("zc/bbo/xgb_runner --zc_names swap,reg_swap --zc_ensemble True --zc_only True "
          "--train_size 100 --test_size 50", needs="xgboost",
          differs="(that of each xgboost)"),
    Entry(f"bbo --optimizer bananas {BBO_WITH_SCORES} --search.epochs 12", needs="xgboost"),
    Entry(f"bbo --optimizer npenas {BBO_WITH_SCORES} --search.epochs 12", needs="xgboost"),
    Entry("nas --optimizer swap_re"),
    Entry("nas --optimizer swap_re --search.proxy az_nas --search.epochs 12"),
    Entry("nas optimizer swap_re search_space nasbench101 --search.epochs 8"),
    *(Entry(f"nas --config-file configs/nas/{name}.yaml --optimizer swap_re --search.epochs 8")
      for name in ("nasbench301_cifar10", "transbench101_micro_class_scene",
                   "transbench101_macro_class_scene")),
    Entry("bbo --optimizer swap_re"),
    Entry("bbo --config-file configs/nas/nasbench201_cifar10.yaml --optimizer swap_re "
          "--search.epochs 8"),
    Entry("nas_predictors --optimizer swap_re --search.epochs 8"),
    Entry("nas_predictors --config-file configs/nas/nasbench301_cifar10.yaml "
          "--optimizer swap_re --search.epochs 8"),
    Entry("naslib-swap naslib zc --predictor swap --test_size 20"),
    Entry("ZeroCost(...).query"),
    Entry("naslib-swap doctor"),
    *(Entry(typed, 2) for typed in (
        "nas --search_space nasbench2O1", "nas --dataset cifar1O", "nas --optimizer swap_er",
        "zc --test_size 0", "zc --predictor swop", "nas --optimizer swap_re --search.proxy az_naz",
    )),
]  # fmt: skip


def command(typed: str, checkout: Path) -> list[str]:
    """Return what starts a command as it is typed here."""
    first, *rest = typed.split()
    if first == "naslib-swap":
        return [str(Path(sys.executable).with_name("naslib-swap")), *rest]
    if first.startswith("ZeroCost"):
        return [sys.executable, "-c", QUERY]
    script = f"{first}.py" if first.endswith("_runner") else f"{first}/runner.py"
    return [sys.executable, str(checkout / RUNNERS / script), *rest]


def value(output: str, folder: Path) -> str:
    """Return what a command found: an architecture, correlations or scores."""
    if found := re.search(r"^values (.+)$", output, re.MULTILINE):
        return found[1]
    if found := re.search(r"final architecture (.+): validation accuracy (\S+)", output):
        known = found[2] != "unknown"
        return f"{found[1]}, {float(found[2]):.2f} %" if known else found[1]
    if found := re.search(r"Final architecture hash: (.+)", output):
        return found[1]
    for path in sorted(folder.glob("run/**/scores.json")):
        scores = json.loads(path.read_text())[1]
        return f"Kendall {scores['kendalltau']:.4f}, Spearman {scores['spearman']:.4f}"
    for path in sorted(folder.glob("benchmark--*.json")):
        scores = [f"{entry['swap']['score']:.0f}" for entry in json.loads(path.read_text())]
        return "scores " + ", ".join(scores)
    return ""


def run(checkout: Path, out: Path) -> int:
    known = json.loads(out.read_text())["commands"] if out.is_file() else {}
    failed = 0
    for entry in ENTRIES:
        if entry.typed in known:
            continue
        if entry.needs and importlib.util.find_spec(entry.needs) is None:
            known[entry.typed] = {"status": None, "value": f"needs {entry.needs}"}
            continue
        folder = Path(tempfile.mkdtemp(prefix="naslib-commands-"))
        environment = {**os.environ, "NASLIB_SWAP_CACHE": str(folder / "cache")}
        if entry.typed.startswith("ZeroCost"):
            environment["PYTHONPATH"] = str(checkout)
        if entry.typed.startswith("naslib-swap naslib"):
            environment["NASLIB_ROOT"] = str(checkout)
        # NASLib writes these into its checkout; ours ends as it began.
        written = checkout / "naslib" / "data" / "zc_benchmarks"
        shutil.rmtree(written, ignore_errors=True)
        started = time.perf_counter()
        ended = subprocess.run(
            command(entry.typed, checkout), cwd=folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        for path in written.glob("*/*.json"):
            path.rename(folder / path.name)
        shutil.rmtree(written, ignore_errors=True)
        found = {
            "status": ended.returncode,
            "value": value(ended.stdout, folder),
            "seconds": round(time.perf_counter() - started, 1),
        }
        if ended.returncode != entry.status or "Traceback" in ended.stdout:
            failed += 1
            found["output"] = ended.stdout[-4000:]
        known[entry.typed] = found
        print(f"{entry.typed}: {found['status']} {found['value']}", flush=True)
        out.write_text(
            json.dumps({"python": platform.python_version(), "commands": known}, indent=1)
        )
        shutil.rmtree(folder)
    return 1 if failed else 0


def table(paths: list[Path]) -> int:
    runs = {read["python"]: read["commands"] for read in (json.loads(p.read_text()) for p in paths)}
    print("| command | exit status | on | value |\n|---|---|---|---|")
    differ = 0
    for entry in ENTRIES:
        ran = {python: found[entry.typed] for python, found in runs.items()
               if found.get(entry.typed, {"status": None})["status"] is not None}  # fmt: skip
        statuses = sorted({str(one["status"]) for one in ran.values()})
        values = sorted({one["value"] for one in ran.values()})
        differ += len(statuses) > 1 or (len(values) > 1 and not entry.differs)
        shown = entry.differs or " / ".join(
            one if len(one) < 60 else f"{one[:57]}..." for one in values
        )
        on = ", ".join(python.rpartition(".")[0] for python in ran)
        print(f"| `{entry.typed}` | {' / '.join(statuses)} | {on} | {shown} |")
    return 1 if differ else 0


if __name__ == "__main__":
    what, *given = sys.argv[1:] or [""]
    if what == "run" and len(given) == 2:
        sys.exit(run(Path(given[0]).resolve(), Path(given[1]).resolve()))
    if what == "table" and given:
        sys.exit(table([Path(one) for one in given]))
    sys.exit(__doc__)
