"""Files that others wrote: limits, damage, and messages of one line."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naslib_swap import nesting, reading
from naslib_swap.csv_files import read_rows
from naslib_swap.errors import SwapError
from naslib_swap.json_files import parse_json, read_json
from naslib_swap.nesting import check_nesting
from naslib_swap.quoting import listed, one_line, shown
from naslib_swap.yaml_files import parse_yaml


def _shared(levels):
    value: list = []
    for _ in range(levels):
        value = [value, value]
    return value


def _nested(levels):
    value: list = []
    for _ in range(levels - 1):
        value = [value]
    return value


@given(st.text() | st.binary() | st.integers() | st.lists(st.text()), st.integers(4, 60))
def test_shown_is_one_printable_line(value, limit):
    for text in (shown(value, limit), one_line(value, limit)):
        assert text.isprintable()
        assert len(text) <= limit


def test_shown_by_hand():
    assert shown("a\n\x1b[31m\ud800\u202e") == r"'a\n\x1b[31m\ud800\u202e'"
    assert shown("x" * 300, 10) == "'xxxxxx..."
    assert one_line("a\r\n b\x1b") == r"a b\x1b"
    assert len(shown(_nested(100_000))) < 160


def test_listed_names_the_first():
    assert listed(["a", "b\n"]) == "a, b"
    assert listed(range(10), most=3) == "0, 1, 2 and 7 more"


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("a.txt", bytes),
        ("a.txt.gz", gzip.compress),
        ("a.txt.bz2", bz2.compress),
        ("a.txt.xz", lzma.compress),
    ],
)
def test_text_is_decompressed_by_its_name(tmp_path, name, compress):
    path = tmp_path / name
    path.write_bytes(compress(b"\xef\xbb\xbfone\ntwo"))
    assert reading.read_text(path) == "one\ntwo"
    assert reading.read_text(path, most=100) == "one\ntwo"
    path.write_bytes(compress(b"0" * 200))
    with pytest.raises(SwapError, match=r"a\.txt.* holds more than 150 bytes"):
        reading.read_text(path, most=150)


def test_a_zip_of_one_file(tmp_path):
    path = tmp_path / "a.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "one")
    assert reading.read_text(path) == "one"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b.csv", "two")
    with pytest.raises(SwapError, match="holds 2 files; expected one"):
        reading.read_text(path)


@pytest.mark.parametrize("name", ["a.gz", "a.bz2", "a.xz", "a.zip"])
def test_what_is_not_compressed_at_all(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"hello")
    with pytest.raises(SwapError, match=rf"{name} cannot be read: "):
        reading.read_text(path)


def test_a_flipped_byte_of_a_gzip(tmp_path):
    """Damaged deflate data raises zlib.error, which is no OSError."""
    path = tmp_path / "a.gz"
    content = bytearray(gzip.compress(bytes(range(256)) * 10))
    content[12] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(SwapError, match=r"a\.gz cannot be read: ") as caught:
        reading.read_text(path)
    assert "\n" not in str(caught.value)


def test_folders_missing_files_and_other_encodings(tmp_path):
    (tmp_path / "latin").write_bytes(b"\xfc")
    for path in (tmp_path, tmp_path / "none", tmp_path / "latin", tmp_path / ("x" * 5000)):
        with pytest.raises(SwapError, match="cannot be read: "):
            reading.read_text(path)


def test_a_file_without_an_end_is_refused():
    with pytest.raises(SwapError, match="/dev/zero holds more than 1,000 bytes"):
        reading.read_bytes("/dev/zero", most=1000)


def test_damage_keeps_our_own_errors_and_bounds_those_of_others():
    with pytest.raises(SwapError, match=r"^mine$"), reading.damage("x is damaged"):
        raise SwapError("mine")
    with pytest.raises(SwapError) as caught, reading.damage("x is damaged"):
        raise KeyError("\n\x1b" + "y" * 10_000)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    too_much = pytest.raises(SwapError, match="x is damaged: it asks for more memory")
    with too_much, reading.damage("x is damaged"):
        raise MemoryError
    with pytest.raises(KeyboardInterrupt), reading.damage("x is damaged"):
        raise KeyboardInterrupt


def test_nesting_by_hand():
    check_nesting(_nested(nesting.DEEPEST), "it")
    with pytest.raises(SwapError, match="it is refused: it nests more than 64 levels deep"):
        check_nesting(_nested(nesting.DEEPEST + 1), "it")
    check_nesting(_shared(10), "it")  # 2^11 - 1 lists
    with pytest.raises(SwapError, match="it is refused: it holds more than 10,000,000 items"):
        check_nesting(_shared(40), "it")
    circle: dict = {}
    circle["a"] = [circle]
    with pytest.raises(SwapError, match="levels deep"):
        check_nesting(circle, "it")


@pytest.mark.parametrize("depth", [65, 900, 200_000])
def test_deep_json_and_yaml_are_one_sentence(tmp_path, depth):
    path = tmp_path / "deep.json"
    path.write_text("[" * depth + "]" * depth)
    with pytest.raises(SwapError, match=r"deep\.json .*(nest|levels deep)") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(SwapError, match=r"it .*(nest|levels deep)"):
        parse_json('{"a":' * depth + "1" + "}" * depth, "it")
    if depth < 10_000:  # the parser of YAML is slow
        with pytest.raises(SwapError, match=r"it .*(nest|levels deep)"):
            parse_yaml("[" * depth + "]" * depth, "it")


def test_json_with_a_byte_order_mark_and_other_damage(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"a": [1]}).encode())
    assert read_json(path) == {"a": [1]}
    path.write_bytes(b'{"a": \xff}')
    with pytest.raises(SwapError, match=r"a\.json is no JSON table: "):
        read_json(path, "JSON table")


def test_yaml_that_expands(monkeypatch):
    monkeypatch.setattr(nesting, "MOST_ITEMS", 1000)
    lines = ["a0: &a0 [1]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40))]
    with pytest.raises(SwapError, match="it is refused: it holds more than 1,000 items"):
        parse_yaml("\n".join(lines), "it")


def test_yaml_names_no_types():
    assert parse_yaml("a: [1, 2.5, x]", "it") == {"a": [1, 2.5, "x"]}
    with pytest.raises(SwapError, match=r"it is no YAML: .*python/object"):
        parse_yaml("!!python/object/apply:os.system ['true']", "it")


def test_csv_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfa,b\r\n"1\n,2",\xc3\xbc\r\n\r\n3\r\n')
    assert read_rows(path) == [["a", "b"], ["1\n,2", "ü"], ["3", ""]]
    path.write_text("a,b\n1,2,3\n")
    with pytest.raises(SwapError, match=r"a\.csv, line 2: 3 cells; expected at most 2"):
        read_rows(path)
    path.write_text("," * 10_001)
    with pytest.raises(SwapError, match="10002 cells; expected at most 10000"):
        read_rows(path)
    path.write_text("a" * 200_000)
    with pytest.raises(SwapError, match="field larger than field limit"):
        read_rows(path)
    path.write_text("")
    with pytest.raises(SwapError, match="it is empty"):
        read_rows(path)
