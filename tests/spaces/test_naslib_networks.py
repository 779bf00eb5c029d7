"""Our networks give NASLib's outputs for NASLib's weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.naslib
@pytest.mark.slow
@pytest.mark.parametrize(
    "space",
    ["nasbench101", "nasbench201", "nasbench301", "transbench101_micro", "transbench101_macro"],
)
def test_same_function_as_naslib(space: str, naslib_root: Path) -> None:
    script = Path(__file__).with_name("naslib_parity.py")
    done = subprocess.run(
        [sys.executable, str(script), str(naslib_root), space],
        capture_output=True,
        text=True,
        timeout=600,
    )
    if "MissingPackage" in done.stderr or "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"NASLib cannot be imported here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    compared = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(compared) >= 2
    for row in compared:
        assert row["parameters"] == row["their_parameters"], row
        assert row["relus"] == row["their_relus"] > 0, row
        assert row["difference"] <= 1e-5 * row["scale"], row
