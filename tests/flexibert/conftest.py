"""A small benchmark and a small text; where the text extra is absent, tests of it are skipped."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any, Optional

import pytest

TEXTS = ("128/SA-SDP-2-512x1/LT-DFT-2-512x1", "128/SA-WMA-4-512x1", "256/LT-DCT-4-512x1")
WITHOUT_TEXT = ("test_flexibert_encoder.py", "test_flexibert_mixing.py")


class NeedsText(pytest.Module):
    """A module of tests that cannot be imported here."""

    def collect(self) -> Any:
        """Skip it."""
        pytest.skip("needs the text extra", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: Any) -> Optional[pytest.Module]:
    """Stand in for the modules that need the extra."""
    if module_path.name in WITHOUT_TEXT or importlib.util.find_spec("transformers"):
        return None
    return NeedsText.from_parent(parent, path=module_path)


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the drawing out, which takes most of the time of a small comparison."""
    monkeypatch.setattr("naslib_swap.figures.save", lambda *_: "")


@pytest.fixture
def texts() -> tuple[str, ...]:
    """The encoders of the benchmark, in the order of their ids."""
    return TEXTS


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Paths of a benchmark of three encoders, and of a text of four documents."""
    from naslib_swap.flexibert.benchmark import AVERAGE, TASKS
    from naslib_swap.flexibert.encoder import parse, to_dict

    benchmark = [
        {
            "id": i,
            "scores": {task: float(i) for task in (*TASKS, AVERAGE)},
            "hparams": {"model_hparam_overrides": to_dict(parse(text))},
        }
        for i, text in enumerate(TEXTS)
    ]
    paths = {"benchmark": tmp_path / "benchmark.json", "text": tmp_path / "text.txt"}
    paths["benchmark"].write_text(json.dumps(benchmark))
    paths["text"].write_text("the cat sat\nthe dog sat on the mat\na mat and a cat\na dog\n")
    return {name: str(path) for name, path in paths.items()}
