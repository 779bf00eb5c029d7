"""analog-nasbench: its real file, and files that pretend to be it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest

from naslib_swap import ground_truth
from naslib_swap.errors import SwapError
from naslib_swap.ground_truth import analog


@pytest.fixture(scope="module")
def installed():
    try:
        distribution = metadata.distribution("analog-nasbench")
    except metadata.PackageNotFoundError:
        pytest.skip("analog-nasbench is not installed")
    return Path(str(distribution.locate_file("analognasbench/data.anb")))


def test_all_architectures(installed):
    loaded = ground_truth.load("analog")
    assert (loaded.space, loaded.task, loaded.source) == ("nasbench201", "cifar10", "analog")
    assert len(loaded.accuracy) == 5**6
    # The first record of the file, read with pickletools.
    assert loaded.accuracy["(0, 0, 0, 0, 0, 0)"] == 60.7836


def test_what_is_remembered_is_not_what_a_caller_gets(installed):
    ground_truth.load("analog").accuracy.clear()
    assert len(ground_truth.load("analog").accuracy) == 5**6


@pytest.mark.data
def test_agrees_with_nasbench201(installed, data_dir):
    """The tuples mean the same architectures: any other order of edges would agree far less."""
    ours = pd.Series(ground_truth.load("analog").accuracy)
    table = ground_truth.load("nasbench201", task="cifar10")
    theirs = pd.Series(table.accuracy)
    assert ours.corr(theirs.reindex(ours.index), method="spearman") > 0.98


def test_the_package_is_not_imported(installed):
    code = (
        "import sys; from naslib_swap import ground_truth; ground_truth.load('analog'); "
        "sys.exit('analognasbench' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_truncated_file(installed, tmp_path):
    cut = tmp_path / "data.anb"
    cut.write_bytes(installed.read_bytes()[:100_000])
    with pytest.raises(SwapError, match=r"data\.anb cannot be read: it is truncated or no pickle"):
        ground_truth.load("analog", path=cut)


def test_no_pickle_at_all(tmp_path):
    page = tmp_path / "data.anb"
    page.write_text("<html>404</html>")
    with pytest.raises(SwapError, match="truncated or no pickle"):
        ground_truth.load("analog", path=page)


class _Evil:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return open, (self.marker, "w")


def test_a_foreign_pickle_is_refused_and_nothing_runs(tmp_path):
    marker, evil = tmp_path / "marker", tmp_path / "data.anb"
    evil.write_bytes(pickle.dumps({(0, 0, 0, 0, 0, 0): _Evil(marker)}))
    with pytest.raises(
        SwapError, match=r"refused: its pickle asks for \w+\.open.*Architecture, DriftMeasurement"
    ):
        ground_truth.load("analog", path=evil)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "expected a dict of architectures, found list"),
        ({}, "expected a dict of architectures"),
        ({(0, 0, 0, 0, 0, 0): 60.0}, "has no baseline_accuracy"),
    ],
)
def test_another_layout(tmp_path, content, message):
    path = tmp_path / "data.anb"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(SwapError, match=message):
        ground_truth.load("analog", path=path)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(analog, "PACKAGE", "analog-nasbench-that-nobody-installed")
    with pytest.raises(SwapError, match="pip install analog-nasbench"):
        ground_truth.load("analog")


def test_a_missing_file(tmp_path):
    with pytest.raises(SwapError, match="cannot be read"):
        ground_truth.load("analog", path=tmp_path / "none.anb")
