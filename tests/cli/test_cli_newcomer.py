"""What a newcomer would type: right the first time, or told in one sentence what to change."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from naslib_swap.cli.main import main

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
    ("", "models.py:net models.py:small --inputs pictures", "5 samples."),
    ("transformers", "hf:config.json --inputs notes.txt --samples 4 --length 16", "gelu x1"),
    ("datasets", "models.py:net --inputs hf:pictures --samples 4", "4 samples."),
    ("transformers", "hf:config.json --text notes.txt --samples 4 --length 16", "gelu x1"),
    ("transformers", "hf:config.json --json", '"family": "bert"'),
    ("timm", "timm:resnet18 timm:resnet34 --input-shape 3,64,64", "Alike: one family (resnet)"),
    ("timm", "timm:vit_tiny_patch16_224 --input-shape 3,64,64 --samples 8", "gelu x12"),
    ("torchvision", "torchvision:mobilenet_v3_small --samples 4", "hardswish x"),
]
TOLD = [
    ("", "models.py --input-shape 3,16,16", 0, "models.py:deep(depth=...)"),
    ("", "models.py:deep --input-shape 3,16,16", 2, "'models.py:deep(depth=...)'"),
    ("", "models.py:net", 2, "Its first convolution takes 3 channels"),
    ("", "model.py --input-shape 3,16,16", 2, "Do you mean models.py?"),
    ("", "models.py:ned --input-shape 3,16,16", 2, "Do you mean net"),
    ("", "models.py:net --inputs photo.npy", 2, "there is no file photo.npy"),
    ("transformers", "hf:config.json --inputs pictures", 2, "takes tokens, and pictures holds"),
    ("transformers", "hf:config.json --pretrained", 2, "no trained weights of hf:config.json are"),
    ("timm", "timm:resnet18 --inputs pictures", 2, "ask for an input shape of 3,20,24 or less"),
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


@pytest.fixture
def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str, str], tuple[int, str, str]]:
    """Package and command -> status, stdout, stderr; in this process, where all is imported."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "models", raising=False)

    def typed(package: str, words: str) -> tuple[int, str, str]:
        if package and importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
        monkeypatch.setattr(sys, "argv", ["naslib-swap", "score", *words.split()])
        with pytest.raises(SystemExit) as ended:
            main()
        return (int(ended.value.code or 0), *capsys.readouterr())

    return typed


@pytest.mark.slow
@pytest.mark.parametrize(("package", "typed", "shown"), RIGHT)
def test_it_is_right_the_first_time(
    run: Callable[[str, str], tuple[int, str, str]], package: str, typed: str, shown: str
) -> None:
    status, out, told = run(package, typed)
    assert status == 0, told
    assert shown in out


@pytest.mark.slow
@pytest.mark.parametrize(("package", "typed", "status", "told"), TOLD)
def test_it_is_told_in_one_sentence(
    run: Callable[[str, str], tuple[int, str, str]],
    package: str,
    typed: str,
    status: int,
    told: str,
) -> None:
    ended, _, said = run(package, typed)
    assert ended == status
    assert told in said
    assert "Traceback" not in said
