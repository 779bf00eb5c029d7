"""Fixtures shared by all tests."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.forks import Forks


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real benchmark tables, images and text, or a skip."""
    folder = os.environ.get("NASLIB_SWAP_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("NASLIB_SWAP_DATA does not name a folder with the benchmark data")
    return Path(folder)


@pytest.fixture(scope="session")
def naslib_root() -> Path:
    """A NASLib checkout (the folder that contains `naslib/`), or a skip."""
    named = os.environ.get("NASLIB_ROOT")
    if named and (Path(named) / "naslib" / "__init__.py").is_file():
        return Path(named)
    spec = importlib.util.find_spec("naslib")
    if spec and spec.origin:
        return Path(spec.origin).parent.parent
    pytest.skip("NASLib is neither importable nor under NASLIB_ROOT")


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Starts commands in processes that need not import torch."""
    found = Forks(tmp_path_factory.mktemp("forks"))
    yield found
    found.close()


@pytest.fixture
def no_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the drawing out, which takes most of the time of a small search."""
    for name in ("draw_cells", "draw_curve", "draw_front"):
        monkeypatch.setattr(f"naslib_swap.optimizers.drawing.{name}", lambda *_: None)


@pytest.fixture(scope="session")
def genotypes() -> tuple[str, ...]:
    """Eight architectures of the DARTS space, whose tiny networks score in milliseconds."""
    from naslib_swap import spaces

    space, rng = spaces.get("darts"), np.random.default_rng(0)
    return tuple(space.encode(space.canonical(space.sample(rng))) for _ in range(8))
