"""Accuracies in CSV: a user's own, and the two real ones."""

from __future__ import annotations

import gzip

import pytest

from naslib_swap import ground_truth, spaces
from naslib_swap.errors import SwapError
from naslib_swap.spaces.nasbench201 import is_connected

GOOD = """arch,val_accuracy,synflow,note,params
"(0, 2, 3, 2, 3, 1)",86.06,41.9,fine,0.6
|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|none~1|skip_connect~2|,90.5,,,1.1
"""


def _write(tmp_path, text, name="mine.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def _load(path):
    return ground_truth.load("csv", space="nasbench201", task="mine", path=path)


def test_both_notations_and_proxies_with_gaps(tmp_path):
    loaded = _load(_write(tmp_path, GOOD))
    assert (loaded.space, loaded.task, loaded.source) == ("nasbench201", "mine", "csv")
    assert loaded.accuracy == {"(0, 2, 3, 2, 3, 1)": 86.06, "(2, 2, 0, 4, 1, 0)": 90.5}
    assert loaded.proxies == {
        "synflow": {"(0, 2, 3, 2, 3, 1)": 41.9},
        "params": {"(0, 2, 3, 2, 3, 1)": 0.6, "(2, 2, 0, 4, 1, 0)": 1.1},
    }


def test_a_compressed_table(tmp_path):
    path = tmp_path / "mine.csv.gz"
    path.write_bytes(gzip.compress(GOOD.encode()))
    assert len(_load(path).accuracy) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "architecture,accuracy\n1,2\n",
            "lacks the columns arch, val_accuracy; expected arch,val_accuracy, "
            "found architecture, accuracy",
        ),
        ('arch,acc\n"(0, 0, 0, 0, 0, 0)",2\n', "lacks the column val_accuracy; .*found arch, acc"),
        ("arch,val_accuracy\n", "holds no rows"),
        ("", "cannot be read as CSV"),
        (
            'arch,val_accuracy\n"(0, 0, 0, 0, 0, 0)",high\n',
            "have no accuracy .*'high', of '\\(0, 0",
        ),
        (
            'arch,val_accuracy\n"(0, 0, 0, 0, 0, 0)",\n"(0, 0, 0, 0, 0, 1)",1\n',
            "1 of 2 rows have no accuracy .*which leaves 1 architectures; .*at least 3 of them",
        ),
        ("arch,val_accuracy\nresnet,90\n", "csv: 'resnet' is no NAS-Bench-201 architecture"),
        (
            'arch,val_accuracy\n"(0, 0, 0, 0, 0, 0)",1\n"(0,0,0,0,0,0)",2\n',
            "has two accuracies, 1.0 and 2.0",
        ),
    ],
)
def test_bad_tables(tmp_path, text, message):
    with pytest.raises(SwapError, match=message):
        _load(_write(tmp_path, text))


def test_a_truncated_gzip(tmp_path):
    path = tmp_path / "mine.csv.gz"
    path.write_bytes(gzip.compress(GOOD.encode())[:40])
    with pytest.raises(SwapError, match=r"mine\.csv\.gz cannot be read: Compressed file ended"):
        _load(path)


def test_without_a_path():
    with pytest.raises(SwapError, match="'csv' needs a path"):
        ground_truth.load("csv", space="nasbench201")


def test_darts1000_in_small(tmp_path):
    cell = "[('sep_conv_3x3', 0), ('sep_conv_3x3', 1)" + ", ('none', 0), ('skip_connect', 2)" * 3
    text = f"Genotype(normal={cell}], normal_concat=[2, 3, 4, 5], reduce={cell}], "
    path = _write(tmp_path, f'"{text}reduce_concat=[2, 3, 4, 5])",85.0\n')
    loaded = ground_truth.load("darts1000", path=path)
    assert loaded.accuracy == {f"{text}reduce_concat=[2, 3, 4, 5])": 85.0}


def test_darts1000_with_other_columns(tmp_path):
    with pytest.raises(SwapError, match="expected two columns"):
        ground_truth.load("darts1000", path=_write(tmp_path, "a,b,c\n"))


@pytest.mark.data
def test_the_real_darts1000(data_dir):
    loaded = ground_truth.load("darts1000")
    assert (loaded.space, loaded.task) == ("darts", "cifar10")
    assert len(loaded.accuracy) == 1000
    assert min(loaded.accuracy.values()) > 10  # chance
    assert max(loaded.accuracy.values()) < 100


@pytest.mark.data
@pytest.mark.parametrize(
    ("task", "accuracy"), [("cifar10", 39.98), ("cifar100", 15.62), ("ImageNet16-120", 15.8666667)]
)
def test_the_real_nasbench201(data_dir, task, accuracy):
    loaded = ground_truth.load("nasbench201", task=task)
    assert len(loaded.accuracy) == 5**6
    # The file marks networks without a path from input to output by -1e8.
    space = spaces.get("nasbench201")
    failed = loaded.accuracy.keys() - loaded.proxies["zen"].keys()
    assert failed == {key for key in loaded.accuracy if not is_connected(space.parse(key))}
    assert loaded.accuracy["(0, 0, 0, 0, 0, 0)"] == accuracy


def test_a_table_without_the_task(tmp_path):
    path = _write(tmp_path, 'arch,cifar10:val_accuracy\n"(0, 0, 0, 0, 0, 0)",40\n')
    assert ground_truth.load("nasbench201", path=path).proxies == {}
    with pytest.raises(SwapError, match="lacks the columns arch, cifar100:val_accuracy; found"):
        ground_truth.load("nasbench201", task="cifar100", path=path)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"source": "imagenet"}, "got the source of accuracies 'imagenet', expected one of analog"),
        ({"source": "csv"}, "needs the name of a search space"),
        ({"source": "analog", "space": "darts"}, "no space 'darts'; expected nasbench201"),
        ({"source": "analog", "task": "svhn"}, "no task 'svhn'; expected cifar10"),
    ],
)
def test_bad_requests(request_, message):
    with pytest.raises(SwapError, match=message):
        ground_truth.load(**request_)


ARCHS = ("(0, 0, 0, 0, 0, 0)", "(0, 0, 0, 0, 0, 1)", "(0, 0, 0, 0, 0, 2)", "(0, 0, 0, 0, 0, 3)")


def _table(tmp_path, header, *cells, archs=ARCHS):
    rows = [f'"{arch}",{rest}' for arch, rest in zip(archs, cells)]
    return _load(_write(tmp_path, "\n".join([header, *rows]) + "\n"))


def test_one_bad_cell_is_a_missing_score_and_said(tmp_path):
    loaded = _table(tmp_path, "arch,val_accuracy,zico", "1,OOM", "2,3.5", "3,4.5", "4,5.5")
    assert loaded.proxies == {"zico": {ARCHS[1]: 3.5, ARCHS[2]: 4.5, ARCHS[3]: 5.5}}
    (note,) = loaded.notes
    assert note.endswith(
        "1 of 4 cells of 'zico' are no numbers, such as 'OOM'; these scores are missing."
    )


@pytest.mark.parametrize("cell", ["", "nan", "NA", "None", "-", "-1e8", "-100000000.0", "inf"])
def test_failures_and_empty_cells_are_missing_without_a_word(tmp_path, cell):
    loaded = _table(tmp_path, "arch,val_accuracy,zico", f"1,{cell}", "2,3.5", "3,4.5")
    assert loaded.proxies == {"zico": {ARCHS[1]: 3.5, ARCHS[2]: 4.5}}
    assert loaded.notes == ()


@pytest.mark.parametrize("cell", ["", "nan", "-1e8", "failed", "1_000", "True", "inf", "1e999"])
def test_a_row_without_an_accuracy_is_left_out_and_said(tmp_path, cell):
    loaded = _table(tmp_path, "arch,val_accuracy,zico", f"{cell},1", "2,3.5", "3,4.5", "4,5.5")
    assert loaded.accuracy == {ARCHS[1]: 2.0, ARCHS[2]: 3.0, ARCHS[3]: 4.0}
    assert ARCHS[0] not in loaded.proxies["zico"]
    (note,) = loaded.notes
    assert "1 of 4 rows have no accuracy" in note
    assert note.endswith("they are left out.")


def test_fewer_than_three_are_refused_only_where_some_were_left_out(tmp_path):
    assert len(_table(tmp_path, "arch,val_accuracy", "1", "2").accuracy) == 2
    with pytest.raises(SwapError, match=r"1 of 3 rows have no accuracy .*leaves 2 architectures"):
        _table(tmp_path, "arch,val_accuracy", "1", "2", "")


@pytest.mark.parametrize("first", ["", "Unnamed: 0", "Unnamed: 0.1", "index", "ID"])
def test_an_index_column_is_no_proxy(tmp_path, first):
    rows = "".join(f'{i},"{arch}",{80 + i}\n' for i, arch in enumerate(ARCHS))
    loaded = _load(_write(tmp_path, f"{first},arch,val_accuracy\n{rows}"))
    assert loaded.proxies == {}
    assert len(loaded.accuracy) == 4
    assert "numbers the rows and is no proxy" in loaded.notes[0]


def test_a_column_called_id_that_does_not_count_is_a_proxy(tmp_path):
    loaded = _table(tmp_path, "arch,val_accuracy,id", "1,5", "2,3", "3,4")
    assert loaded.proxies["id"][ARCHS[0]] == 5.0
    assert loaded.notes == ()


def test_a_column_of_text_with_a_number_is_said(tmp_path):
    loaded = _table(tmp_path, "arch,val_accuracy,note", "1,a", "2,b", "3,7")
    assert loaded.proxies == {}
    assert "'note' is mostly text, such as 'a'; it is no proxy" in loaded.notes[0]


def test_a_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert _load(path).accuracy == {"(0, 2, 3, 2, 3, 1)": 86.06, "(2, 2, 0, 4, 1, 0)": 90.5}


def test_names_that_stand_twice(tmp_path):
    with pytest.raises(SwapError, match="has two columns 'zico'; rename one"):
        _table(tmp_path, "arch,val_accuracy,zico,zico", "1,2,3")


def test_a_files_own_text_stays_on_one_line(tmp_path):
    with pytest.raises(SwapError) as caught:
        _load(_write(tmp_path, 'arch,val_accuracy\n"\x1b[31m\nred' + "x" * 500 + '",1\n'))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
