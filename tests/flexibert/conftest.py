"""Tests of models and of text are skipped where the text extra is absent."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Optional

import pytest

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
