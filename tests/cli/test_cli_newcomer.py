"""What a newcomer would type: right the first time, or told in one sentence what to change."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MODELS = """
from torch import nn

def small():
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))

def net(width=4):
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Conv2d(width, width, 3), nn.ReLU())

def deep(depth):
    return nn.Sequential(*[nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU()) for _ in range(depth)])

built = net(3)
"""

RIGHT = [
    ("", "models.py:net models.py:built --input-shape 3,16,16", "Alike: one family"),
    ("", "models.py:net(width=2) models.py:net(width=8) --input-shape 3,16,16 --draws 3", "± "),
    ("", "models:net --inputs photos.npy --samples auto", "Alone, a score means nothing"),
    ("", "models.py:net --inputs pictures --samples 4 --input-shape 3,16,16 --markdown", "| 1 |"),
    ("transformers", "hf:config.json --text notes.txt --samples 4 --length 16", "gelu x1"),
    ("transformers", "hf:config.json --json", '"family": "bert"'),
    ("timm", "timm:resnet18 timm:resnet34 --input-shape 3,64,64", "Alike: one family (resnet)"),
    ("timm", "timm:vit_tiny_patch16_224 --input-shape 3,64,64 --samples 8", "gelu x12"),
    ("torchvision", "torchvision:mobilenet_v3_small --samples 4", "hardswish x"),
]
TOLD = [
    ("", "models.py --input-shape 3,16,16", 1, "models.py:deep(depth=...)"),
    ("", "models.py:deep --input-shape 3,16,16", 2, "'models.py:deep(depth=...)'"),
    ("", "models.py:net", 2, "Its first convolution takes 3 channels"),
    ("", "resnet18 --input-shape 3,64,64", 2, "timm:, torchvision: and hf: begin names"),
    ("", "models.py:net --input-shape 3,512,512 --samples 300 --memory 1", 2, "at most --samples "),
    ("transformers", "hf:brt", 2, "Do you mean bert"),
    ("timm", "timm:resnet1 --samples 4", 2, "Do you mean resnet18"),
    ("torchvision", "torchvision:resnet18 --pretrained", 2, "are not on this machine; download"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("newcomer")
    rng = np.random.default_rng(0)
    (made / "models.py").write_text(MODELS)
    (made / "notes.txt").write_text(" ".join(map(str, rng.integers(99, size=200))))
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    (made / "config.json").write_text(
        json.dumps({"model_type": "bert", "vocab_size": 99, "intermediate_size": 16, **sizes})
    )
    np.save(made / "photos.npy", rng.integers(0, 255, (40, 20, 20, 3), dtype=np.uint8))
    (made / "pictures").mkdir()
    for number in range(5):
        picture = Image.fromarray(rng.integers(0, 255, (20, 24, 3), dtype=np.uint8))
        picture.save(made / "pictures" / f"{number}.png")
    return made


def run(folder: Path, package: str, typed: str) -> subprocess.CompletedProcess[str]:
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
    command = [sys.executable, "-m", "naslib_swap.cli", "score", *typed.split()]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(("package", "typed", "shown"), RIGHT)
def test_it_is_right_the_first_time(folder: Path, package: str, typed: str, shown: str) -> None:
    done = run(folder, package, typed)
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("package", "typed", "status", "told"), TOLD)
def test_it_is_told_in_one_sentence(
    folder: Path, package: str, typed: str, status: int, told: str
) -> None:
    done = run(folder, package, typed)
    assert done.returncode == status
    assert told in done.stderr
    assert "Traceback" not in done.stderr
