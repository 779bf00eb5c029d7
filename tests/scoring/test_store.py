"""Stores of scores: whole or not at all, and never believed without a check."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from naslib_swap.errors import BadFile, SwapError
from naslib_swap.scoring import Key, Recipe, Record, Score, lines
from naslib_swap.scoring.store import DatabaseStore, LineStore, MemoryStore

RECIPE = Recipe("tiny", (3, 32, 32), 16, "0" * 16, settings=(("mu", 0.5), ("repeats", 3)))


def _record(number: int = 0, value: float | None = 2.5, **fields: object) -> Record:
    key = Key("darts", "cifar10", f"arch {number} é|–", "swap", 0, RECIPE.id)
    error = "no" if value is None else None
    return Record(key, replace(Score(value, 0.25, error), **fields), RECIPE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "scores.jsonl"


def _read(path: Path, notes: list[str] | None = None) -> list[Record]:
    return list(LineStore(path, notes.append if notes is not None else len).records())


text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.builds(Key, text, text, text, text, st.integers(0, 2**62), st.just("")),
    finite | st.none(),
    st.floats(0, 1) | st.none(),
    st.builds(
        Recipe,
        text,
        st.lists(st.integers(1, 99)).map(tuple),
        st.integers(0, 99),
        text,
        text,
        settings=st.dictionaries(text, finite | text | st.integers()).map(
            lambda found: tuple(sorted(found.items()))
        ),
    ),
)
def test_what_is_written_is_read(key, value, saturation, recipe):
    error = "no" if value is None else None
    record = Record(key._replace(recipe=recipe.id), Score(value, 0.5, error, saturation), recipe)
    line = lines.write(record)
    assert "\n" not in line
    assert lines.read(line) == record


@given(st.data())
def test_a_changed_character_is_noticed(data):
    line = lines.write(_record())
    place = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.characters(exclude_categories=("Cs",)).filter(lambda c: c != line[place]))
    changed = line[:place] + other + line[place + 1 :]
    if changed.rstrip() != line:  # white space at the end is none of a line's
        with pytest.raises(ValueError, match=r".+"):
            lines.read(changed)


@pytest.mark.parametrize(
    "change",
    [
        {"value": "abc"},
        {"value": float("nan")},
        {"value": 1e400},
        {"value": True},
        {"value": None},
        {"error": "and a value"},
        {"seed": 0.5},
        {"seed": True},
        {"arch": 3},
        {"saturation": "full"},
        {"seconds": None},
        {"recipe": {}},
        {"recipe": {"shape": [3], "settings": {}, "unheard": 1}},
        {"recipe": {"shape": [3], "settings": {}, "samples": "16"}},
        {"unheard": 1},
        {"arch": None},
    ],
)
def test_what_no_score_can_be_is_damaged_even_with_its_checksum(change):
    body = json.loads(lines.write(_record()))
    del body["check"]
    text = json.dumps({**body, **change})
    with pytest.raises(lines.Damaged, match=r".+"):
        lines.read(f'{text[:-1]}, "check": "{lines._sum(text)}"}}')


@pytest.mark.parametrize("line", ["{", "[" * 100_000, '{"check": 1}', "", "\ud800", "[1]", "3"])
def test_what_is_no_line_of_ours_is_damaged(line):
    with pytest.raises(ValueError, match=r".+"):
        lines.read(line)


def test_records_come_back_in_the_order_of_writing(path):
    with LineStore(path) as store:
        store.append([_record(0), _record(1, None, trace="line 3")])
        store.append([])
        store.append([_record(2, 0.1 + 0.2)])
        assert list(store.records()) == _read(path)
    assert _read(path) == [_record(0), _record(1, None, trace="line 3"), _record(2, 0.1 + 0.2)]


def test_what_is_not_finite_is_refused_before_anything_is_written(path):
    with LineStore(path) as store:
        with pytest.raises(ValueError, match="JSON"):
            store.append([_record(0), _record(1, float("nan"))])
        assert list(store.records()) == []


def test_a_torn_last_line_is_cut_off_wherever_it_was_torn(tmp_path):
    whole = "".join(lines.write(_record(n)) + "\n" for n in range(2)).encode()
    for length in range(0, len(whole) + 1, 7):
        path = tmp_path / f"{length}.jsonl"
        path.write_bytes(whole[:length])
        finished = whole[:length].count(b"\n")
        with LineStore(path) as store:
            store.append([_record(9)])
        assert _read(path) == [*map(_record, range(finished)), _record(9)]


def test_a_torn_line_longer_than_a_block_is_cut_off(path):
    path.parent.mkdir()
    path.write_text(lines.write(_record()) + '\n{"b": "' + "x" * 200_000)
    with LineStore(path) as store:
        assert list(store.records()) == [_record()]
    assert path.read_text() == lines.write(_record()) + "\n"


@pytest.mark.parametrize("content", [b"notes of mine", b"[1, 2", b"\xff", b'{"a": 1}\n'])
def test_a_file_that_is_not_ours_is_refused_and_stays(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"scores\.jsonl (begins|ends) with '.*not written by"):
        LineStore(path).__enter__()
    assert path.read_bytes() == content
    path.unlink()
    with LineStore(path) as store:  # the lock was let go
        store.append([_record()])


def test_damaged_and_foreign_lines_are_said_left_out_and_kept(path):
    path.parent.mkdir()
    older = {"space": "darts", "arch": "a", "proxy": "swap", "settings_id": "x", "value": 1.0}
    good = lines.write(_record())
    path.write_bytes(
        f"{json.dumps(older)}\n{good}\n".encode()
        + b"\xff\xfe\n{not json}\n"
        + good.replace("2.5", "3.5").encode()
        + b"\n"
    )
    before, notes = path.read_bytes(), []
    assert _read(path, notes) == [_record()]
    assert notes == [
        f"{path} holds 1 score(s) of an earlier version of naslib-swap, which are not used and "
        "stay there.",
        f"{path} holds 3 damaged line(s), which are not used and stay there; what they held is "
        "scored again.",
    ]
    assert path.read_bytes() == before
    notes.clear()
    with LineStore(path, notes.append) as store:
        assert list(store.records()) == list(store.records())
    assert len(notes) == 2  # not once per reading


def test_a_second_process_is_told_to_wait(path):
    script = (
        "import sys; from naslib_swap.scoring.store import LineStore\n"
        f"with LineStore({str(path)!r}):\n"
        "    print('open', flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None
    assert other.stdout is not None
    with other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(SwapError, match="being written by another process"), LineStore(path):
            pass
        other.kill()  # a killed writer holds nothing
    with LineStore(path) as store:
        store.append([_record()])


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "results").write_text("in the way")
    with (
        pytest.raises(SwapError, match=r"cannot write .*scores\.jsonl.* may write to"),
        LineStore(tmp_path / "results" / "scores.jsonl"),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SwapError, match="cannot write"), LineStore(tmp_path / "a" / "s.jsonl"):
        pass


def test_a_full_disk_loses_nothing_that_was_stored(path):
    """A limit on file sizes stands in for the disk: writes go through in part, then fail."""
    with LineStore(path) as store:
        store.append([_record(0)])
    script = (
        "import resource, signal, sys\n"
        "from naslib_swap.errors import SwapError\n"
        "from naslib_swap.scoring.store import LineStore\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        f"with LineStore({str(path)!r}) as store:\n"
        "    (record,) = store.records()\n"
        "    try:\n"
        "        store.append([record] * 50)\n"
        "    except SwapError as error:\n"
        "        print(error)\n"
        "    store.append([record])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "File too large" in done.stdout
    assert "What was stored before is safe" in done.stdout
    assert _read(path) == [_record(0), _record(0)]


def test_a_database_finds_what_was_kept_and_nothing_else(tmp_path):
    store = DatabaseStore(tmp_path / "deep" / "scores.sqlite")
    assert store.get(_record().key) is None
    store.append([_record(0), _record(1, None)])
    store.append([_record(0, 3.5)])  # scored again: the newer one counts
    assert store.get(_record(0).key) == _record(0, 3.5).score
    assert store.get(_record(1).key) == _record(1, None).score
    assert store.get(_record(0).key._replace(seed=1)) is None
    assert store.count() == 2
    assert set(store.records()) == {_record(0, 3.5), _record(1, None)}


@pytest.mark.parametrize("line", ["{", "NaN", '{"psi": -5}', "0"])
def test_a_damaged_score_in_a_database_is_said_once_and_made_anew(tmp_path, line):
    notes: list[str] = []
    store = DatabaseStore(tmp_path / "scores.sqlite", notes.append)
    store.append([_record()])
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE scores SET line=?", (line,))
    assert store.get(_record().key) is None
    assert store.get(_record().key) is None
    assert len(notes) == 1
    assert "holds damaged scores" in notes[0]
    store.append([_record()])
    assert store.get(_record().key) == _record().score


def test_a_database_that_cannot_be_used_is_said_once(tmp_path):
    path = tmp_path / "scores.sqlite"
    path.write_text("no database " * 100)
    notes: list[str] = []
    store = DatabaseStore(path, notes.append)
    store.append([_record()])
    assert store.get(_record().key) is None
    assert len(notes) == 1
    assert "scores are not kept" in notes[0]
    assert "NASLIB_SWAP_CACHE" in notes[0]


def test_several_processes_write_one_database(tmp_path):
    path = tmp_path / "scores.sqlite"
    script = (
        "import sys; from pathlib import Path\n"
        "from naslib_swap.scoring import Key, Recipe, Record, Score\n"
        "from naslib_swap.scoring.store import DatabaseStore\n"
        "store, recipe = DatabaseStore(Path(sys.argv[1])), Recipe()\n"
        "for n in range(20):\n"
        "    key = Key('s', 't', f'{sys.argv[2]} {n}', 'swap', 0, recipe.id)\n"
        "    store.append([Record(key, Score(float(n)), recipe)])\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(path), str(n)]) for n in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert DatabaseStore(path).count() == 60


def test_a_store_in_memory_gives_back_what_it_got():
    store = MemoryStore()
    store.append([_record(0), _record(0, 3.5)])
    assert [r.score.value for r in store.records()] == [2.5, 3.5]
    assert store.get(_record(0).key).value == 3.5
    assert store.get(_record(1).key) is None


def test_the_difference_between_recipes_is_said_for_people():
    other = replace(RECIPE, samples=32, digest="1" * 16, settings=(("mu", 0.5), ("repeats", 0)))
    assert RECIPE.difference(other) == "samples 16 (now 32), repeats 3 (now 0)"
    assert RECIPE.difference(RECIPE) == ""
    only = replace(RECIPE, digest="1" * 16, source="cifar10")
    assert only.difference(RECIPE).startswith("digest 1111111111111111 (cifar10) (now 0000")
    assert replace(RECIPE, source="elsewhere").id == RECIPE.id
