"""Lazy tables: one shape for all files, missing proxies on demand, all styles of keys."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import pickle
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from naslib_swap.errors import SwapError
from naslib_swap.ground_truth import catalogue
from naslib_swap.plugin import benchmarks, keys, tables

ROWS = {
    "(0, 2, 3, 2, 3, 1)": {"val_accuracy": 90.0, "nwot": {"score": 4.0, "time": 0.1}},
    "[[(0, 0), (1, 5)], [(1, 0), (0, 2)]]": {"val_accuracy": 50.0, "nwot": 2.5},
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("NASLIB_SWAP_DATA", raising=False)
    monkeypatch.setenv("NASLIB_SWAP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "zc_nasbench201.json").write_text(json.dumps({"cifar10": ROWS}))
    (tmp_path / "data" / "zc_nasbench101.json").write_text(
        json.dumps({"nasbench101": {"cifar10": ROWS}})
    )
    return tmp_path


def table(root: Path, asked: list, space: str = "nasbench201") -> tables.Table:
    def scorer(arch: str, name: str) -> dict:
        asked.append((arch, name))
        return {"score": 7.0, "time": 0.5}

    return tables.Table(space, "cifar10", root, scorer, lambda: ("swap", "nwot"))


def test_a_missing_proxy_is_scored_once_and_when_asked_for(root: Path):
    asked: list = []
    made = table(root, asked)
    entry = made["(0, 2, 3, 2, 3, 1)"]
    assert asked == []
    assert "swap" in entry
    assert entry["nwot"]["score"] == 4.0
    assert entry["swap"]["score"] == entry["swap"]["score"] == 7.0
    assert asked == [("(0, 2, 3, 2, 3, 1)", "swap")]
    assert "unheard_of" not in entry
    with pytest.raises(KeyError, match="unheard_of"):
        entry["unheard_of"]


def test_a_column_that_the_table_has_in_part_is_not_completed(root: Path):
    rows = copy.deepcopy(ROWS)
    rows["(0, 2, 3, 2, 3, 1)"]["swap"] = {"score": 9.0}
    (root / "data" / "zc_nasbench201.json").write_text(json.dumps({"cifar10": rows}))
    asked: list = []
    made = table(root, asked)
    assert made["(0, 2, 3, 2, 3, 1)"]["swap"]["score"] == 9.0
    with pytest.raises(SwapError, match="has swap for 1 of 2 architectures, but not for"):
        made["(((0, 0), (1, 5)), ((1, 0), (0, 2)))"]["swap"]
    assert asked == []


def test_live_scores_are_told_of_now_and_then(caplog: pytest.LogCaptureFixture):
    times = iter([0.0, 4.0, 11.0, 12.0, 25.0])
    scorer = tables.telling(lambda arch, name: {"score": 1.0}, 10.0, lambda: next(times))
    with caplog.at_level("INFO"):
        for _ in range(4):
            assert scorer("(0,)", "swap") == {"score": 1.0}
    assert [record.getMessage() for record in caplog.records] == [
        "swap: 2 architectures scored in 11 s",
        "swap: 4 architectures scored in 25 s",
    ]


def test_every_style_of_key_finds_its_entry(root: Path):
    made = table(root, [])
    for text in ("(0,2,3,2,3,1)", "[0, 2, 3, 2, 3, 1]", "(np.int64(0), 2, np.int64(3), 2, 3, 1)"):
        assert text in made
        assert made[text]["val_accuracy"] == 90.0
    assert made["(((0, 0), (1, 5)), ((1, 0), (0, 2)))"]["val_accuracy"] == 50.0
    assert "(0, 0, 0, 0, 0, 0)" not in made
    with pytest.raises(KeyError):
        made["(0, 0, 0, 0, 0, 0)"]
    assert list(made.keys()) == list(ROWS)
    assert len(made) == 2


@pytest.mark.parametrize("space", ["nasbench101", "nasbench201"])
def test_nesting_and_flat_numbers_are_brought_to_one_shape(root: Path, space: str):
    entry = table(root, [], space)["(((0, 0), (1, 5)), ((1, 0), (0, 2)))"]
    assert entry["nwot"] == {"score": 2.5}


def test_nothing_is_read_before_it_is_needed(tmp_path: Path, root: Path):
    made = table(tmp_path / "nowhere", [], "nasbench301")
    with pytest.raises(SwapError, match="naslib-swap data fetch zc-nasbench301"):
        len(made)


def test_an_unknown_dataset_lists_those_of_the_table(root: Path):
    with pytest.raises(SwapError, match="no dataset 'cifar100'; it has cifar10"):
        tables.read(root / "data" / "zc_nasbench201.json", "nasbench201", "cifar100")


def test_a_damaged_table_is_named(root: Path):
    path = root / "data" / "zc_nasbench201.json"
    path.write_text("{")
    with pytest.raises(SwapError, match=r"zc_nasbench201\.json is no table of zero-cost proxies"):
        len(table(root, []))


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "[1]", "1.5", '{"cifar10": [1]}', '{"cifar10": {"a": 1}}']
)
def test_a_table_of_another_form_is_one_sentence(root: Path, content: str):
    path = root / "data" / "zc_nasbench201.json"
    path.write_text(content)
    with pytest.raises(SwapError, match=r"zc_nasbench201\.json") as caught:
        tables.read(path, "nasbench201", "cifar10")
    assert str(caught.value).isprintable()


def test_tables_are_also_taken_from_the_data_folder(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "elsewhere" / "naslib"
    folder.mkdir(parents=True)
    path = folder / "zc_nasbench301.json"
    path.write_text(json.dumps({"cifar10": ROWS}))
    monkeypatch.setenv("NASLIB_SWAP_DATA", str(folder.parent))
    with pytest.raises(SwapError, match=r"zc_nasbench301\.json is not zc-nasbench301: its sha256"):
        len(table(root, [], "nasbench301"))
    original = dataclasses.replace(
        catalogue.entry("zc-nasbench301"), sha256=hashlib.sha256(path.read_bytes()).hexdigest()
    )
    monkeypatch.setitem(catalogue.CATALOGUE, "zc-nasbench301", original)
    assert len(table(root, [], "nasbench301")) == 2


def test_entries_are_copied_and_pickled_as_plain_dictionaries(root: Path):
    entry = table(root, [])["(0, 2, 3, 2, 3, 1)"]
    assert type(pickle.loads(pickle.dumps(entry))) is dict
    assert copy.deepcopy(entry) == dict(entry)
    assert json.loads(json.dumps(entry))["nwot"]["score"] == 4.0


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("(1, 2)", "(1, 2)"),
        ("[[(0, 1)], [2]]", "(((0, 1),), (2,))"),
        ("(np.int64(3), np.int32(-1), np.uint8(2))", "(3, -1, 2)"),
        ("|nor_conv_3x3~0|", None),
        ("__import__('os')()", None),
        ("3", None),
    ],
)
def test_keys_have_one_form(text: str, form: str | None):
    assert keys.canonical(text) == form


def dataset_api_module(root: Path) -> ModuleType:
    module = ModuleType("naslib.utils.get_dataset_api")

    def get_dataset_api(search_space: str, dataset: str) -> dict:
        path = root / "data" / "benchmark.pickle"
        assert path.exists(), f"Could not find {path}"
        return {"data": "read"}

    def load_sampled_architectures(search_space: str, postfix: str = "") -> dict:
        return json.loads((root / "data" / "archs.json").read_text())

    module.get_dataset_api = get_dataset_api
    module.load_sampled_architectures = load_sampled_architectures
    module.get_project_root = lambda: root
    benchmarks.patch(module)
    return module


def test_a_benchmarks_file_is_read_on_first_use(root: Path):
    module = dataset_api_module(root)
    api = module.get_dataset_api("nasbench201", "cifar10")
    assert api is not None
    assert bool(api)
    with pytest.raises(SwapError, match="Could not find"):
        api["data"]
    (root / "data" / "benchmark.pickle").touch()
    assert module.get_dataset_api("nasbench201", "cifar10")["data"] == "read"


def test_sampled_architectures_come_from_the_table_where_their_file_is_missing(root: Path):
    module = dataset_api_module(root)
    assert module.load_sampled_architectures("nasbench201") == dict(zip("01", ROWS))
    (root / "data" / "archs.json").write_text('{"0": "own"}')
    assert module.load_sampled_architectures("nasbench201") == {"0": "own"}


def test_accuracies_come_from_the_table_where_the_benchmark_is_missing(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    class Space:
        arch = (0, 2, 3, 2, 3, 1)

        def get_hash(self) -> tuple:
            return self.arch

        def query(self, metric: object, dataset: str, dataset_api: object = None) -> object:
            return "benchmark"

    Space.__module__ = "naslib.made"
    made = ModuleType("naslib.made")
    made.Space = Space
    benchmarks.patch_query(made)
    monkeypatch.setattr(tables, "table", lambda space, dataset, root: table(root, []))
    monkeypatch.setattr(benchmarks, "_warned", set())
    api = dataset_api_module(root).get_dataset_api("nasbench201", "cifar10")
    accuracy, test = SimpleNamespace(name="VAL_ACCURACY"), SimpleNamespace(name="TEST_ACCURACY")
    space = Space()
    assert space.query(accuracy, "cifar10", dataset_api=api) == 90.0
    assert space.query(test, "cifar10", dataset_api=api) == -1
    assert space.query(SimpleNamespace(name="RAW"), "cifar10", dataset_api=api) == -1
    (warning,) = caplog.messages
    assert "TEST_ACCURACY, and all else" in warning
    assert "is reported as -1: Could not find" in warning
    assert space.query(accuracy, "cifar10", dataset_api={"own": 1}) == "benchmark"
    space.arch = (1, 1, 1, 1, 1, 1)
    with pytest.raises(SwapError, match="neither in the zero-cost table"):
        space.query(accuracy, "cifar10", dataset_api=api)
    monkeypatch.setattr(benchmarks, "_all_accuracies", lambda *_: {"(1, 1, 1, 1, 1, 1)": 77.0})
    assert space.query(accuracy, "cifar10", dataset_api=api) == 77.0
    space.arch = (0, 2, 3, 2, 3, 1)
    (root / "data" / "zc_nasbench201.json").unlink()
    assert not api.has_table()
    assert api.accuracy("(1, 1, 1, 1, 1, 1)") == 77.0
    assert api.accuracy("(2, 2, 2, 2, 2, 2)") is None


def test_all_accuracies_are_read_where_they_are(data_dir: Path):
    benchmarks._all_accuracies.cache_clear()
    known = benchmarks._all_accuracies("nasbench201", "cifar100")
    assert len(known) == 15625
    stored = tables.read(data_dir / "naslib" / "zc_nasbench201.json", "nasbench201", "cifar100")
    for arch, row in stored.items():  # the table holds them in float32
        assert known[arch] == pytest.approx(row["val_accuracy"], rel=1e-6)
    assert benchmarks._all_accuracies("nasbench201", "svhn") == {}
    assert benchmarks._all_accuracies("nasbench101", "cifar10") == {}
