from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from naslib_swap.errors import SwapError
from naslib_swap.scoring.store import ScoreStore, read_records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "scores.jsonl"


def test_records_come_back_in_the_order_of_writing(path):
    with ScoreStore(path) as store:
        store.append([{"a": 1}, {"a": 2.5, "text": "é|–"}])
        store.append([])
        store.append([{"a": None}])
        assert [r["a"] for r in store.records()] == [1, 2.5, None]
    assert list(read_records(path)) == [{"a": 1}, {"a": 2.5, "text": "é|–"}, {"a": None}]


def test_a_second_opening_appends(path):
    for number in range(3):
        with ScoreStore(path) as store:
            store.append([{"a": number}])
    assert [r["a"] for r in read_records(path)] == [0, 1, 2]


def test_floats_survive_exactly(path):
    values = [0.1 + 0.2, 1e-300, -1.7976931348623157e308, 2**53 + 1.0]
    with ScoreStore(path) as store:
        store.append([{"v": v} for v in values])
    assert [r["v"] for r in read_records(path)] == values


def test_what_is_not_finite_is_refused_before_anything_is_written(path):
    with ScoreStore(path) as store:
        with pytest.raises(ValueError, match="JSON"):
            store.append([{"v": 1.0}, {"v": float("nan")}])
        assert list(store.records()) == []


# Cut at every byte: inside a line, inside a character of two bytes, just before the line's end.
def test_a_torn_last_line_is_cut_off_wherever_it_was_torn(tmp_path):
    whole = b"".join(json.dumps({"n": n, "t": "é"}, ensure_ascii=False).encode() + b"\n"
                     for n in range(3))  # fmt: skip
    for length in range(len(whole) + 1):
        path = tmp_path / f"{length}.jsonl"
        path.write_bytes(whole[:length])
        finished = whole[:length].count(b"\n")
        with ScoreStore(path) as store:
            assert [r["n"] for r in store.records()] == list(range(finished))
            store.append([{"n": "next"}])
        assert [r["n"] for r in read_records(path)] == [*range(finished), "next"]


@pytest.mark.parametrize("content", [b"notes of mine", b'{"a": 1}\nnotes', b"[1, 2", b"\xff"])
def test_an_unfinished_line_that_is_no_record_is_refused_and_stays(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(SwapError, match=r"scores\.jsonl ends with '.*not written by naslib-swap"):
        ScoreStore(path).__enter__()
    assert path.read_bytes() == content
    path.write_bytes(b'{"a": 1}\n')
    with ScoreStore(path) as store:  # the lock was let go
        store.append([{"a": 2}])


def test_a_torn_line_longer_than_a_block_is_cut_off(path):
    path.parent.mkdir()
    path.write_bytes(b'{"a": 1}\n{"b": "' + b"x" * 200_000)
    with ScoreStore(path) as store:
        assert list(store.records()) == [{"a": 1}]
    assert path.read_bytes() == b'{"a": 1}\n'


def test_reading_leaves_an_unfinished_line_out_and_the_file_alone(path):
    path.parent.mkdir()
    path.write_bytes(b'{"a": 1}\n{"a": 2')
    assert list(read_records(path)) == [{"a": 1}]
    assert path.read_bytes().endswith(b'{"a": 2')


@pytest.mark.parametrize("line", [b"{not json}", b"[1, 2]", b"\xff\xfe"])
def test_a_broken_line_in_the_middle_is_named(path, line):
    path.parent.mkdir()
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 3}\n')
    with pytest.raises(SwapError, match=r"scores\.jsonl, line 2: expected a JSON object, got"):
        list(read_records(path))


def test_a_second_process_is_told_to_wait(path):
    script = (
        "import sys; from naslib_swap.scoring.store import ScoreStore\n"
        f"with ScoreStore({str(path)!r}):\n"
        "    print('open', flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None
    assert other.stdout is not None
    with other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(SwapError, match="being written by another process"), ScoreStore(path):
            pass
        other.kill()  # a killed writer holds nothing
    with ScoreStore(path) as store:
        store.append([{"a": 1}])


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "results").write_text("in the way")
    with (
        pytest.raises(SwapError, match=r"cannot write .*scores\.jsonl.* may write to"),
        ScoreStore(tmp_path / "results" / "scores.jsonl"),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SwapError, match="cannot write"), ScoreStore(tmp_path / "a" / "s.jsonl"):
        pass


def test_a_full_disk_loses_nothing_that_was_stored(path):
    """A limit on file sizes stands in for the disk: writes go through in part, then fail."""
    with ScoreStore(path) as store:
        store.append([{"kept": True}])
    script = (
        "import resource, signal, sys\n"
        "from naslib_swap.errors import SwapError\n"
        "from naslib_swap.scoring.store import ScoreStore\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"with ScoreStore({str(path)!r}) as store:\n"
        "    try:\n"
        "        store.append([{'x': 'y' * 100}] * 50)\n"
        "    except SwapError as error:\n"
        "        print(error)\n"
        "    store.append([{'small': 1}])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "File too large" in done.stdout
    assert "What was stored before is safe" in done.stdout
    assert list(read_records(path)) == [{"kept": True}, {"small": 1}]
