"""NAS-Bench-201's own package, on a small file made with its own classes."""

from __future__ import annotations

import pytest
import torch

from naslib_swap import ground_truth
from naslib_swap.errors import SwapError

ARCH = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"


@pytest.fixture
def benchmark_file(tmp_path):
    utils = pytest.importorskip("nas_201_api.api_utils")
    results = utils.ArchResults(0, ARCH)
    for seed, accuracy in ((777, 90.0), (888, 91.0)):
        result = utils.ResultsCount("cifar10-valid", {}, {}, {}, 1.0, 1.0, None, seed, 1, 0.1)
        result.train_acc1es, result.train_losses, result.train_times = {0: 95.0}, {0: 0.1}, {0: 1.0}
        result.update_eval({"x-valid@0": accuracy}, {"x-valid@0": 0.2}, {"x-valid@0": 1.0})
        results.update("cifar10-valid", seed, result)
    state = {"full": results.state_dict(), "less": results.state_dict()}
    path = tmp_path / "NAS-Bench-201.pth"
    torch.save(
        {"meta_archs": [ARCH], "arch2infos": {0: state}, "evaluated_indexes": [0]},
        path,
    )
    return path


def test_mean_over_seeds_by_canonical_key(benchmark_file):
    loaded = ground_truth.load("nas-bench-201-api", path=benchmark_file)
    assert loaded.accuracy == {"(2, 2, 0, 4, 1, 0)": 90.5}


def test_a_foreign_pickle_is_refused(tmp_path):
    pytest.importorskip("nas_201_api")
    path = tmp_path / "foreign.pth"
    torch.save({"meta_archs": torch.nn.Linear(1, 1)}, path)
    with pytest.raises(SwapError, match="cannot be read as NAS-Bench-201's file"):
        ground_truth.load("nas-bench-201-api", path=path)


def test_another_layout_is_an_error(tmp_path):
    pytest.importorskip("nas_201_api")
    path = tmp_path / "other.pth"
    torch.save({"archs": []}, path)
    with pytest.raises(SwapError, match="is not laid out as"):
        ground_truth.load("nas-bench-201-api", path=path)


def test_without_a_path():
    with pytest.raises(SwapError, match="needs a path"):
        ground_truth.load("nas-bench-201-api")


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "nas_201_api", None)
    with pytest.raises(SwapError, match="pip install nas-bench-201"):
        ground_truth.load("nas-bench-201-api", path=tmp_path / "any.pth")
