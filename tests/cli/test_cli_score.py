"""`naslib-swap score`, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

MODELS = """
import torch
from torch import nn

def small():
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))

def large():
    return nn.Sequential(nn.Conv2d(3, 16, 3), nn.GELU())

def dictionary():
    class Net(nn.Module):
        def forward(self, pixels, scale):
            return torch.relu(pixels * scale)
    return Net()

not_a_net = 3

def returns_text():
    return "net"
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "models.py").write_text(MODELS.replace("nn.LazyLinear(3)", "nn.Linear(72, 3)"))
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "naslib_swap.cli", "score", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_models_are_ranked_best_first(models: Path) -> None:
    done = run(
        models, "models.py:small", "models:large", "--input-shape", "3,8,8", "--samples", "6",
        "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["model"] for row in rows] == ["models:large", "models.py:small"]
    assert rows[0]["score"] > rows[1]["score"]
    assert rows[1]["values"] == 72
    assert rows[1]["bound"] == 64


def test_a_file_of_named_arrays_becomes_keywords(models: Path) -> None:
    pixels = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    np.savez(models / "batch.npz", pixels=pixels, scale=np.ones((3, 1)))
    done = run(models, "models.py:dictionary", "--input-file", "batch.npz", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["score"] == 2


def test_a_table_says_what_was_recorded(models: Path) -> None:
    torch.save(torch.randn(5, 3, 8, 8), models / "batch.pt")
    done = run(models, "models.py:small", "--input-file", "batch.pt", "--mu", "1", "--sigma", "2")
    assert done.returncode == 0, done.stderr
    assert "relu ×1" in done.stdout
    assert "log reg-SWAP" in done.stdout
    assert "5 samples." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["models.py:small"],
            "either --input-shape (such as 3,32,32) or --input-file, got neither",
        ),
        (["models.py:small", "--input-shape", "a,b"], "got --input-shape 'a,b', expected numbers"),
        (["small", "--input-shape", "3,8,8"], "got the model 'small', expected package.module:fac"),
        (["models.py:none", "--input-shape", "3,8,8"], "'models.py' has no 'none'"),
        (["missing.py:net", "--input-shape", "3,8,8"], "there is no Python file 'missing.py'"),
        (["missing:net", "--input-shape", "3,8,8"], "cannot import 'missing'"),
        (["models.py:returns_text", "--input-shape", "3,8,8"], "returned str, expected a torch.nn"),
        (["models.py:not_a_net", "--input-shape", "3,8,8"], "'not_a_net' is int, expected a fac"),
        (["models.py:small", "--input-file", "models.py"], "cannot read models.py"),
        (["models.py:small", "--input-shape", "3,8,8", "--mu", "1"], "got mu=1.0 and sigma=None"),
        (["models.py:small", "--input-shape", "3,8,8", "--samples", "1"], "got a minibatch of 1"),
    ],
)
def test_bad_input_is_one_line(models: Path, arguments: list[str], message: str) -> None:
    done = run(models, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1
