"""`naslib-swap score`, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from naslib_swap.cli.main import main

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

def wide(width):
    return nn.Linear(width, width)

def raises():
    raise KeyError("no weights\\nhere")

def silent():
    return nn.Sequential(nn.Conv2d(3, 2, 3))

class Strict(nn.Module):
    def forward(self, pixels):
        assert pixels.shape[1] == 4
        return torch.relu(pixels)

def returns_text():
    return "net"
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "models.py").write_text(MODELS.replace("nn.LazyLinear(3)", "nn.Linear(72, 3)"))
    (tmp_path / "broken.py").write_text("def net(:")
    (tmp_path / "fails.py").write_text("1 / 0")
    np.save(tmp_path / "bytes.npy", np.ones((5, 4, 8, 8), dtype=np.uint8))
    np.savez(tmp_path / "words.npz", words=np.array(["a", "b"]))
    (tmp_path / "empty.pt").touch()
    return tmp_path


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(forks: Any) -> Run:
    """As `naslib-swap score ARGUMENTS...` in a folder."""
    code = "from naslib_swap.cli.main import main; main()"
    return lambda folder, *arguments: forks.run(code, "score", *arguments, folder=folder)


def test_models_are_ranked_best_first(models: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "naslib_swap.cli", "score", "models.py:small", "models:large"),
            *("--input-shape", "3,8,8", "--samples", "6", "--json"),
        ],
        cwd=models,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["model"] for row in rows] == ["models:large", "models.py:small"]
    assert rows[0]["score"] > rows[1]["score"]
    assert rows[1]["values"] == 72
    assert rows[1]["bound"] == 64


def test_a_file_of_named_arrays_becomes_keywords(models: Path, run: Run) -> None:
    pixels = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    np.savez(models / "batch.npz", pixels=pixels, scale=np.ones((3, 1)))
    done = run(models, "models.py:dictionary", "--input-file", "batch.npz", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["score"] == 2


def test_a_table_says_what_was_recorded(models: Path, run: Run) -> None:
    torch.save(torch.randn(5, 3, 8, 8), models / "batch.pt")
    done = run(models, "models.py:small", "--input-file", "batch.pt", "--mu", "1", "--sigma", "2")
    assert done.returncode == 0, done.stderr
    assert "relu x1" in done.stdout
    assert "log reg-SWAP" in done.stdout
    assert "5 samples." in done.stdout


def test_one_bad_model_costs_its_own_row(models: Path, run: Run) -> None:
    done = run(
        models, "models.py:raises", "models.py:large", "models.py:small", "--input-shape", "3,8,8",
        "--samples", "6", "--draws", "2", "--csv", "--out", "made",
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("error: cannot build models.py:raises: KeyError") == 1
    assert "The same holds for" not in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("rank,tied,model,score,samples,values,bound,saturation")
    assert [line.split(",")[2] for line in lines[1:]] == [
        "models.py:large", "models.py:small", "models.py:raises",
    ]  # fmt: skip
    assert (models / "made" / "models.png").stat().st_size > 1000
    whole = json.loads((models / "made" / "models.json").read_text())
    assert whole["samples"] == 6
    assert any(text.startswith("Not alike: some activations") for text in whole["remarks"])


DATACLASSES = """
from __future__ import annotations
from dataclasses import dataclass
from torch import nn

@dataclass
class Width:
    channels: int = CHANNELS

def net():
    return nn.Sequential(nn.Conv2d(3, Width().channels, 3), nn.ReLU())
"""


def test_two_files_of_one_name_with_dataclasses(tmp_path: Path, run: Run) -> None:
    for folder, channels in (("a", "2"), ("b", "3")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.py").write_text(DATACLASSES.replace("CHANNELS", channels))
    done = run(tmp_path, "a/net.py:net", "b/net.py:net", "--input-shape", "3,8,8", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["model"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows["a/net.py:net"]["values"] == 2 * 36
    assert rows["b/net.py:net"]["values"] == 3 * 36


def test_a_reason_is_said_once_for_several_models(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(models)
    monkeypatch.setattr(sys, "path", [*sys.path])
    names = ["models.py:small", "models.py:large", "models.py:none"]
    monkeypatch.setattr(sys, "argv", ["naslib-swap", "score", *names, "--quiet"])
    with pytest.raises(SystemExit, match="2"):
        main()
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("channels. The same holds for models.py:large.")
    assert second.startswith("error: 'models.py' has no 'none'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["models.py:small"],
            "expected --input-shape (such as 3,32,32) or --inputs with a file, got neither",
        ),
        (["models.py:small", "--input-shape", "a,b"], "got --input-shape 'a,b', expected numbers"),
        (["models.py:small", "--input-shape", "3,99999999,99999999"], "expected at most 1,073,741"),
        (["models.py:small", "--input-shape", f"3,{'9' * 30},8"], "expected at most 1,073,741,824"),
        (["models.py:small", "--input-shape", f"3,{'9' * 5000},8"], "expected numbers such as 3,"),
        (["models.py:small", "--input-shape", "3,0,8"], "all at least 1"),
        (["models.py:small", "--input-shape", "3,8,8", "--seed", "9" * 23], "a number below 2^63"),
        (["models.py:small", "--input-shape", "3,8,8", "--repeats", "9" * 9], "at most 1,000,000"),
        (
            ["models.py:small", "--input-shape", "3,8,8", "--mu", "1e200", "--sigma", "1"],
            "got mu=1e+200, sigma=1 for a network",
        ),
        (["models.py:small", "--input-file", ""], "got input_file '', expected some text"),
        (["small", "--input-shape", "3,8,8"], "got the model 'small', expected package.module:fac"),
        (["models.py:none", "--input-shape", "3,8,8"], "'models.py' has no 'none'"),
        (["missing.py:net", "--input-shape", "3,8,8"], "there is no Python file 'missing.py'"),
        (["missing:net", "--input-shape", "3,8,8"], "cannot import 'missing'"),
        (["models.py:returns_text", "--input-shape", "3,8,8"], "returned str, expected a torch.nn"),
        (["models.py:not_a_net", "--input-shape", "3,8,8"], "'not_a_net' is int, expected a fac"),
        (["models.py:small", "--input-file", "models.py"], "cannot read models.py"),
        (["models.py:small", "--input-shape", "3,8,8", "--mu", "1"], "got mu=1.0 and sigma=None"),
        (["models.py:small", "--input-shape", "3,8,8", "--samples", "1"], "got samples '1', expec"),
        (["models.py:small", "--input-file", "bytes.npy", "--samples", "-1"], "got samples '-1'"),
        (
            ["models.py:wide", "--input-shape", "3,8,8"],
            "cannot build models.py:wide: TypeError: wide() missing 1 required positional argument",
        ),
        (
            ["models.py:raises", "--input-shape", "3,8,8"],
            "cannot build models.py:raises: KeyError: 'no weights\\nhere' (models.py, line ",
        ),
        (["broken.py:net", "--input-shape", "3,8,8"], "cannot import 'broken.py': SyntaxError: "),
        (["broken:net", "--input-shape", "3,8,8"], "cannot import 'broken': SyntaxError: "),
        (["fails.py:net", "--input-shape", "3,8,8"], "ZeroDivisionError: division by zero (fails"),
        (
            ["models.py:small", "--input-shape", "3,9,9"],
            "models.py:small failed on inputs float32 [32, 3, 9, 9]: RuntimeError: mat1 and mat2 ",
        ),
        (
            ["models.py:Strict", "--input-shape", "3,9,9"],
            "models.py:Strict failed on inputs float32 [32, 3, 9, 9]: AssertionError: (models.py, ",
        ),
        (
            ["models.py:small", "--input-file", "bytes.npy", "--samples", "5"],
            "Its weights are torch.float32, the inputs torch.uint8",
        ),
        (["models.py:small", "--input-file", "words.npz"], "cannot read words.npz: can't convert"),
        (["models.py:silent", "--input-shape", "3,8,8"], "models.py:silent: Sequential showed no"),
        (
            ["models.py:small", "models.py:small", "--input-shape", "3,8,8", "--repeats", "2"],
            "a model is there twice, expected each once",
        ),
        (
            ["models.py:small", "--input-shape", "3,8,8", "--json", "--csv"],
            "got several of --json, --csv and --markdown, expected one of them",
        ),
        (["timm", "--input-shape", "3,8,8"], "timm:, torchvision: and hf: begin names of their"),
        (["models.py:small", "--inputs", "natral", "--samples", "8"], "unknown source of images"),
        (["models.py:small", "--input-shape", "3,8,8", "--memory", "2e-6"], "not even two samples"),
        (["models.py:small", "--input-file", "empty.pt"], "cannot read empty.pt: EOFError. Exp"),
        (
            ["models.py:small", "--input-shape", "3,8,8", "--device", "banana"],
            "cannot use the device 'banana': ",
        ),
        (
            ["models.py:small", "--input-shape", "3,8,8", "--device", "cuda:99"],
            "cannot use the device 'cuda:99': ",
        ),
    ],
)
def test_bad_input_is_one_line(
    models: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(models)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["naslib-swap", "score", *arguments])
    with pytest.raises(SystemExit, match="2"):
        main()
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert len(error.strip().splitlines()) == 1
