"""Workers end with the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")

CREW = """
import os, time
from naslib_swap.scoring.backends import crew
from naslib_swap.scoring.dispatch import Dispatch

def work(number):
    time.sleep(0.1 if number < 4 else 600)
    return [os.getpid()]

with crew("loky", 2) as hands:
    for pid in Dispatch(hands, range(8), work):
        print(*pid, flush=True)
"""


def _group(pgid: int) -> dict[int, str]:
    """Processes of a group that are alive, and their commands."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            state, _, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it ended meanwhile
            continue
        if int(group) == pgid and state != "Z":
            found[int(folder.name)] = command
    return found


def _left_after_a_kill(process: subprocess.Popen[str], seconds: float = 10) -> dict[int, str]:
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    end = time.monotonic() + seconds
    while (left := _group(process.pid)) and time.monotonic() < end:
        time.sleep(0.2)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return left


def test_busy_workers_end_with_their_parent():
    process = subprocess.Popen(
        [sys.executable, "-c", CREW], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    with process.stdout as lines:
        workers = {int(lines.readline()) for _ in range(4)}
    assert workers <= set(_group(process.pid))
    assert _left_after_a_kill(process) == {}


@pytest.mark.slow
def test_nothing_is_left_of_a_table_whose_command_was_killed(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", "from naslib_swap.cli.main import main; main()", "table",
         "--archs", "all", "--proxies", "swap", "--workers", "2", "--out", str(tmp_path)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 240
    stored = tmp_path / "scores.jsonl"
    while not (stored.exists() and stored.read_bytes().count(b"\n") > 4):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    assert len(_group(process.pid)) > 2
    assert _left_after_a_kill(process) == {}
