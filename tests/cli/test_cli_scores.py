"""`naslib-swap scores`: what comes with the package, shown and written into a table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "naslib_swap.cli", "scores", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_comes_with_the_package_is_listed():
    done = run("list")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nasbench201: 15625 architectures, 14125 networks" in done.stdout
    assert "16 images 3x32x32 (natural, digest 1d98b1ed75938c28), seed 0, version 3" in done.stdout


def test_a_table_is_written(tmp_path: Path):
    from naslib_swap.scoring import shipped

    held = shipped.load("nasbench201")
    place = int(held.columns[0].seen[:, 0].argmax())
    key = next(text for text, where in held.keys.items() if where == place)
    into, out = tmp_path / "zc.json", tmp_path / "out.json"
    into.write_text(json.dumps({"cifar10": {key: {"val_accuracy": 1.0}}}))
    done = run("write", "--into", str(into), "--out", str(out))
    assert done.stdout == f"cifar10: 1 of 1 architectures\nWritten to {out}\n"
    row = json.loads(out.read_text())["cifar10"][key]
    assert row["swap"]["score"] == held.columns[0].seen[place, 0]
    assert row["val_accuracy"] == 1.0


def test_a_table_that_is_not_there_is_one_line(tmp_path: Path):
    done = run("write", "--into", str(tmp_path / "no.json"), "--out", str(tmp_path / "out.json"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
