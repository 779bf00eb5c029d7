"""Commands whose output has nowhere to go: closed pipes and full disks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENDS = [("closed", False), ("closed", True), ("full", False), ("full", True)]
ARCHS = ("(0, 2, 3, 2, 3, 1)", "(1, 1, 1, 1, 1, 1)", "(3, 3, 3, 3, 3, 3)")
TRUTH = "arch,val_accuracy\n" + "".join(f'"{arch}",{n}\n' for n, arch in enumerate(ARCHS))
NETWORK = "from torch import nn\ndef make():\n    return nn.Sequential(nn.Flatten(), nn.ReLU())\n"
SCORED = "--proxies params --workers 1 --truth-file truth.csv"
SEARCHED = "--space nasbench201 --proxy params --population 3 --cycles 1 --workers 1"
COMMANDS = {
    "--help": (),
    "cache --json": (),
    "doctor": (),
    "data list": (),
    "naslib runner.py": (),
    "score net.py:make --input-shape 3,4,4 --samples 4": (),
    f"table --archs all {SCORED} --out out": ("report.html", "correlations.csv", "scores.jsonl"),
    f"precompute {SCORED} --out out/t.json": ("t.json", "t.settings.json", "t.scores.jsonl"),
    f"search {SEARCHED} --out out": ("result.json", "history.jsonl", "checkpoint.json"),
}


def _ended(command: str, kind: str, both: bool, folder: Path) -> tuple[int, str]:
    (folder / "truth.csv").write_text(TRUTH)
    (folder / "net.py").write_text(NETWORK)
    (folder / "runner.py").write_text("print('a line\\n' * 10_000)\n")
    if kind == "closed":
        read, end = os.pipe()
        os.close(read)
    else:
        end = os.open("/dev/full", os.O_WRONLY)
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from naslib_swap.cli.main import main; main()",
             *command.split()],
            stdout=end,
            stderr=end if both else subprocess.PIPE,
            text=True,
            cwd=folder,
            timeout=300,
            env={**os.environ, "NASLIB_SWAP_CACHE": str(folder / "cache")},
        )  # fmt: skip
    finally:
        os.close(end)
    return done.returncode, done.stderr or ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(("kind", "both"), ENDS)
@pytest.mark.parametrize(
    "command",
    [c if c in ("--help", "cache --json") else pytest.param(c, marks=pytest.mark.slow)
     for c in COMMANDS],
)  # fmt: skip
def test_a_quiet_end_or_one_sentence_with_all_files_written(command, kind, both, tmp_path):
    status, errors = _ended(command, kind, both, tmp_path)
    assert "Traceback" not in errors
    if kind == "closed":
        assert status in (1, 141)
        assert "error" not in errors
    else:
        assert status == 2
        assert both or errors.endswith("error: cannot write the output: No space left on device.\n")
    for name in COMMANDS[command]:
        assert (tmp_path / "out" / name).stat().st_size > 0


def test_a_full_disk_for_notes_does_not_end_a_run(tmp_path, forks):
    (tmp_path / "truth.csv").write_text(TRUTH)
    command = f"precompute {SCORED} --out t.json"
    full = "import os\nos.dup2(os.open('/dev/full', os.O_WRONLY), 2)\n"
    code = f"{full}from naslib_swap.cli.main import main; main()"
    done = forks.run(code, *command.split(), folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "Written to t.json\n")
