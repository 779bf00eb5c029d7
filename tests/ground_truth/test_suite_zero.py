"""NAS-Bench-Suite-Zero's tables: their traps in small, and the real files."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from naslib_swap import ground_truth, spaces
from naslib_swap.errors import SwapError

NB201 = {
    "cifar10": {
        "(0, 2, 3, 2, 3, 1)": {
            "idx": "5",
            "arch": "(0, 2, 3, 2, 3, 1)",
            "val_accuracy": 86.06,
            "synflow": {"score": 41.9, "time": 0.4},
            "epe_nas": {"score": -100000000.0, "time": 0.6},
        },
        "(1, 1, 1, 1, 1, 1)": {
            "val_accuracy": 10,
            "synflow": {"score": float("nan"), "time": 0.4},
            "epe_nas": {"score": -12.5, "time": 0.6},
            "late": 3.5,
        },
    }
}


def _write(tmp_path, tables):
    path = tmp_path / "table.json"
    path.write_text(json.dumps(tables))
    return path


def _load(path, space="nasbench201", task="cifar10"):
    return ground_truth.load("suite-zero", space=space, task=task, path=path)


def test_scores_are_read_and_failures_are_missing(tmp_path):
    loaded = _load(_write(tmp_path, NB201))
    assert loaded.accuracy == {"(0, 2, 3, 2, 3, 1)": 86.06, "(1, 1, 1, 1, 1, 1)": 10.0}
    assert loaded.proxies == {
        "epe_nas": {"(1, 1, 1, 1, 1, 1)": -12.5},
        "late": {"(1, 1, 1, 1, 1, 1)": 3.5},
        "synflow": {"(0, 2, 3, 2, 3, 1)": 41.9},
    }


def test_a_level_more_and_flat_floats(tmp_path):
    flat = {"(0, 0, 0, 0, 0, 0)": {"val_accuracy": 50.0, "flops": 7.78, "grasp": -1e8}}
    loaded = _load(_write(tmp_path, {"nasbench201": {"cifar10": flat}}))
    assert loaded.accuracy == {"(0, 0, 0, 0, 0, 0)": 50.0}
    assert loaded.proxies == {"flops": {"(0, 0, 0, 0, 0, 0)": 7.78}}


def test_list_style_keys(tmp_path):
    listed = (
        "[[(0, 3), (1, 3), (0, 3), (1, 3), (1, 3), (0, 2), (0, 2), (2, 5)], "
        "[(0, 0), (1, 0), (2, 2), (1, 0), (0, 0), (2, 2), (2, 2), (1, 0)]]"
    )
    path = _write(tmp_path, {"cifar10": {listed: {"val_accuracy": 93.0}}})
    loaded = _load(path, space="nasbench301")
    assert list(loaded.accuracy) == [listed.replace("[", "(").replace("]", ")")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"cifar10": {"(0, 0, 0, 0, 0, 0)": {"val_acc', "is no JSON table"),
        ("[1, 2]", "expected an object of tasks"),
        ('{"cifar10": {"(0, 0, 0, 0, 0, 0)": {"flops": 1}}}', "expected a number as val_accuracy"),
        ('{"cifar10": {"(9, 0)": {"val_accuracy": 1}}}', r"'\(9, 0\)' is no NAS-Bench-201"),
        ('{"cifar100": {}}', "has no task 'cifar10'; it holds cifar100"),
        (
            '{"cifar10": {"(0,0,0,0,0,0)": {"val_accuracy": 1}, '
            '"(0, 0, 0, 0, 0, 0)": {"val_accuracy": 2}}}',
            "has two accuracies",
        ),
        (
            '{"cifar10": {"(0, 0, 0, 0, 0, 0)": {"val_accuracy": NaN}}}',
            "1 of 1 rows have no accuracy .*nan",
        ),
    ],
)
def test_bad_tables(tmp_path, text, message):
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.raises(SwapError, match=message):
        _load(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(SwapError, match="cannot be read"):
        _load(tmp_path / "none.json")


def test_an_unknown_space():
    with pytest.raises(SwapError, match=r"no table of the space 'darts'.*nasbench301"):
        ground_truth.load("suite-zero", space="darts")


REAL = [
    ("nasbench101", "cifar10", 500, "nasbench101__cifar10"),
    ("nasbench201", "cifar10", 724, "nasbench201__cifar10"),
    ("nasbench201", "cifar100", 725, "nasbench201__cifar100"),
    ("nasbench201", "ImageNet16-120", 724, "nasbench201__ImageNet16-120"),
    ("nasbench301", "cifar10", 725, "nasbench301__cifar10"),
    ("transbench101_micro", "jigsaw", 711, "transbench101_micro__jigsaw"),
    ("transbench101_micro", "autoencoder", 711, "transbench101_micro__autoencoder"),
    ("transbench101_macro", "class_object", 662, None),
]


@pytest.mark.data
@pytest.mark.parametrize(("space", "task", "count", "tidy"), REAL)
def test_the_real_tables(data_dir, space, task, count, tidy):
    if space not in spaces.names():
        pytest.skip(f"the space {space} is not built yet")
    loaded = ground_truth.load("suite-zero", space=space, task=task)
    assert len(loaded.accuracy) == count
    space_of = spaces.get(space)
    for key in list(loaded.accuracy)[:20]:
        assert space_of.encode(space_of.parse(key)) == key
    assert all(scores.keys() <= loaded.accuracy.keys() for scores in loaded.proxies.values())
    assert min(min(scores.values()) for scores in loaded.proxies.values()) > -1e8
    assert len(loaded.proxies["params"]) == count
    if tidy:
        # The tidy tables were derived from these and later files, independently of this reader.
        frame = pd.read_csv(data_dir / "tables" / f"{tidy}.csv.gz")
        column = "val_accuracy_best" if "val_accuracy_best" in frame else "val_accuracy"
        tidied = {
            space_of.encode(space_of.parse(arch)): value
            for arch, value in zip(frame["arch"], frame[column])
        }
        shared = [key for key in loaded.accuracy if key in tidied]
        assert len(shared) > 0.9 * count
        for key in shared:
            assert loaded.accuracy[key] == pytest.approx(tidied[key], rel=1e-6, abs=1e-6)
