"""The calls that NAS-Bench-301's package would get; its models are not available to tests."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from naslib_swap import ground_truth
from naslib_swap.errors import SwapError
from naslib_swap.evaluation.plan import Plan
from naslib_swap.evaluation.planning import study_of
from naslib_swap.options import plan_of

LISTED = (
    "[[(0, 3), (1, 3), (0, 3), (1, 3), (1, 3), (0, 2), (0, 2), (2, 5)], "
    "[(0, 0), (1, 0), (2, 2), (1, 0), (0, 0), (2, 2), (2, 2), (1, 0)]]"
)
CANONICAL = LISTED.replace("[", "(").replace("]", ")")


class _Ensemble:
    def __init__(self):
        self.calls = []

    def predict(self, config, representation, with_noise):
        self.calls.append((config, representation, with_noise))
        return 94.5


@pytest.fixture
def ensemble(monkeypatch):
    package, ensemble = ModuleType("nasbench301"), _Ensemble()
    package.load_ensemble = lambda folder: ensemble
    monkeypatch.setitem(sys.modules, "nasbench301", package)
    return ensemble


def test_predicts_once_for_each_architecture_from_its_genotype(ensemble, tmp_path):
    loaded = ground_truth.load("nasbench301-surrogate", path=tmp_path)
    assert loaded.accuracy[LISTED] == loaded.accuracy[CANONICAL] == 94.5
    assert list(loaded.accuracy) == [CANONICAL]
    ((config, representation, noise),) = ensemble.calls
    assert (representation, noise) == ("genotype", False)
    assert config.normal[:2] == [("sep_conv_3x3", 0), ("sep_conv_3x3", 1)]
    assert config.reduce[0] == ("max_pool_3x3", 0)
    assert config.normal_concat == [2, 3, 4, 5]


def test_every_architecture_of_the_space_has_a_prediction(ensemble, tmp_path):
    loaded = ground_truth.load("nasbench301-surrogate", path=tmp_path)
    assert LISTED in loaded.accuracy
    assert "nonsense" not in loaded.accuracy
    assert ensemble.calls == []


def test_a_table_draws_architectures_for_it(ensemble, tmp_path, monkeypatch):
    options = {
        "space": "nasbench301",
        "truth": "nasbench301-surrogate",
        "truth_file": str(tmp_path),
        "proxies": "params",
    }
    monkeypatch.setattr(
        _Ensemble, "predict", lambda self, config, **_: float(len(set(config.normal)))
    )
    study, truth = study_of(plan_of(Plan, {**options, "archs": 12}, "test"))
    assert len(set(study.subjects)) == 12
    assert all(truth.accuracy[arch] > 0 for arch in study.subjects)
    again, _ = study_of(plan_of(Plan, {**options, "archs": 12}, "test"))
    assert again.subjects == study.subjects
    with pytest.raises(SwapError, match="predicts the accuracy of any architecture, so there is"):
        study_of(plan_of(Plan, {**options, "archs": "all"}, "test"))


def test_nonsense_is_no_architecture(ensemble, tmp_path):
    loaded = ground_truth.load("nasbench301-surrogate", path=tmp_path)
    with pytest.raises(SwapError, match="nonsense"):
        loaded.accuracy["nonsense"]
    assert ensemble.calls == []


def test_without_the_folder():
    with pytest.raises(SwapError, match="needs a path: the folder of an ensemble"):
        ground_truth.load("nasbench301-surrogate")


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "nasbench301", None)
    with pytest.raises(SwapError, match="pip install nasbench301"):
        ground_truth.load("nasbench301-surrogate", path=tmp_path)
