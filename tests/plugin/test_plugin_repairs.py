"""Each repair: the fault it mends, and that it leaves a sound NASLib alone."""

from __future__ import annotations

import collections
import random
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from sklearn import metrics

from naslib_swap.plugin import repairs


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repairs, "applied", {})


def module(**names: object) -> ModuleType:
    made = ModuleType("naslib.made")
    made.__dict__.update(names)
    return made


@pytest.mark.skipif(sys.version_info < (3, 10), reason="collections.Iterable is there")
def test_collections_names_are_lent_for_one_import_only():
    repairs.collections_names_before(module())
    try:
        exec("from collections import Iterable")
    finally:
        repairs.collections_names_after(module())
    assert not hasattr(collections, "Iterable")
    assert "collections_names" in repairs.applied


@pytest.mark.skipif(sys.version_info < (3, 10), reason="collections.Iterable is there")
def test_the_kernel_module_gets_a_collections_of_its_own():
    made = module(collections=collections)
    repairs.collections_in_wl_kernel(made)
    assert isinstance([], made.collections.Iterable)
    assert made.collections.Counter is collections.Counter
    assert not hasattr(collections, "Iterable")


def test_mean_squared_error_takes_squared_again():
    made = module(metrics=metrics)
    repairs.mean_squared_error(made)
    assert made.metrics.mean_squared_error([0.0, 0.0], [3.0, 3.0], squared=False) == 3.0
    assert made.metrics.mean_squared_error([0.0, 0.0], [3.0, 3.0]) == 9.0
    assert made.metrics.r2_score is metrics.r2_score


def test_a_scikit_learn_that_knows_squared_is_left_alone():
    def mean_squared_error(true: object, predicted: object, squared: bool = True) -> float:
        return 1.0

    old = SimpleNamespace(mean_squared_error=mean_squared_error)
    made = module(metrics=old)
    repairs.mean_squared_error(made)
    assert made.metrics is old
    assert repairs.applied == {}


def test_parameters_are_counted_without_auxiliary_heads(monkeypatch: pytest.MonkeyPatch):
    def broken(model: object) -> None:
        raise TypeError

    monkeypatch.setattr(repairs, "_sums_generators", lambda: False)
    made = module(count_parameters_in_MB=broken)
    repairs.count_parameters(made)
    sizes = {"a": 3_000_000, "auxiliary.b": 10**9}
    model = SimpleNamespace(
        named_parameters=lambda: [
            (k, SimpleNamespace(numel=lambda v=v: v)) for k, v in sizes.items()
        ]
    )
    assert made.count_parameters_in_MB(model) == 3.0


def test_a_numpy_that_sums_generators_needs_no_repair(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(repairs, "_sums_generators", lambda: True)
    made = module(count_parameters_in_MB=len)
    repairs.count_parameters(made)
    assert made.count_parameters_in_MB is len


def test_hashes_hold_python_integers():
    class Space:
        def get_hash(self) -> tuple:
            return tuple(np.array([3, 0])), (np.int64(1), 2), [np.int32(4)]

    Space.__module__ = "naslib.made"
    made = module(Space=Space)
    repairs.python_integers(made)
    assert str(Space().get_hash()) == "((3, 0), (1, 2), [4])"


def test_a_module_without_search_spaces_says_so():
    if repr(np.int64(3)) != "3":
        with pytest.raises(AttributeError, match="no search space"):
            repairs.python_integers(module())


def test_nasbench301_samples_from_the_table():
    class Space:
        labeled_archs: object = None

        def sample_random_labeled_architecture(self) -> None:
            self.drawn = "labelled"

        def sample_random_architecture(
            self, dataset_api: object = None, load_labeled: bool = False
        ) -> None:
            self.drawn = "surrogate" if load_labeled else "random"

    repairs.labelled_sampling(module(NasBench301SearchSpace=Space))
    for labelled, load, drawn in [
        ([1], True, "labelled"),
        (None, True, "surrogate"),
        ([1], False, "random"),
    ]:
        space = Space()
        space.labeled_archs = labelled
        space.sample_random_architecture(dataset_api=None, load_labeled=load)
        assert space.drawn == drawn


def counts(indices: list[int]) -> tuple[int, int, int]:
    layers = [i for i in indices if i]
    return len(layers), sum(i in (3, 4) for i in layers), sum(i in (2, 4) for i in layers)


def test_a_macro_mutation_changes_one_number_and_stays_in_the_space():
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    child = [4, 2, 3, 1, 0, 0]
    for _ in range(300):
        parent, child = child, repairs.mutated_macro(child)
        changed = [a != b for a, b in zip(counts(parent), counts(child))]
        assert sum(changed) == 1
        layers, strides, widenings = counts(child)
        assert layers in (4, 5, 6)
        assert strides in (1, 2, 3, 4)
        assert widenings in (1, 2, 3)
        assert child == [i for i in child if i] + [0] * (6 - layers)


def test_the_macro_space_mutates_lists_and_tuples():
    class Space:
        op_indices: object = None

        def get_op_indices(self) -> object:
            return self.op_indices

        def set_op_indices(self, indices: object) -> None:
            self.op_indices = indices

        def mutate(self, parent: object, dataset_api: object = None) -> None:
            raise TypeError

        def get_nbhd(self, dataset_api: object = None) -> object:
            return list(self.op_indices[self.op_indices != 0])

    repairs.macro_mutation(module(TransBench101SearchSpaceMacro=Space))
    parent, child = Space(), Space()
    parent.op_indices = (4, 2, 3, 1, 0, 0)
    child.mutate(parent)
    assert counts(list(child.op_indices)) != counts([4, 2, 3, 1])
    assert parent.get_nbhd() == [4, 2, 3, 1]


def test_the_black_box_runner_gets_the_key_it_reads():
    config = SimpleNamespace(search=SimpleNamespace())
    repairs.missing_use_zc_api(config)
    assert config.search.use_zc_api is False
    config.search.use_zc_api = True
    repairs.missing_use_zc_api(config)
    assert config.search.use_zc_api is True
