"""Foreign pickles: refused as a whole, with nothing of them run."""

from __future__ import annotations

import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naslib_swap.errors import SwapError
from naslib_swap.nesting import Record
from naslib_swap.restricted_pickle import load_pickle, load_torch_pickle

PLAIN = {"a": [1, 2.5, None, True], ("b", 3): b"bytes", "text": "ü"}


class _Point:
    pass


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_of_every_protocol(protocol):
    # Protocols 0 to 2 write bytes by a call of _codecs.encode, which is no plain data.
    data = {key: value for key, value in PLAIN.items() if protocol > 2 or value != b"bytes"}
    assert load_pickle(pickle.dumps(data, protocol=protocol), {}, what="it") == data


@given(st.integers(0, len(pickle.dumps(PLAIN)) - 1))
def test_every_truncation_is_an_error(length):
    with pytest.raises(SwapError, match="it cannot be read: it is truncated or no pickle"):
        load_pickle(pickle.dumps(PLAIN)[:length], {}, what="it")


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94.",
        b"(S'true'\nios\nsystem\n.",
        pickle.dumps(_Point()),
        pickle.dumps(len),
    ],
)
def test_names_that_are_not_allowed(content):
    with pytest.raises(SwapError, match=r"it is refused: its pickle asks for .*plain data only"):
        load_pickle(content, {}, what="it")


@pytest.mark.parametrize("content", [b"\x80\x02\x82\x01.", b"P1\n.", b"\x80\x04\x8c\x01aQ."])
def test_extension_codes_and_persistent_ids(content):
    with pytest.raises(SwapError, match="it cannot be read"):
        load_pickle(content, {}, what="it")


def test_known_content_reads_alike():
    point = _Point()
    point.place = [1, 2.5]
    content = pickle.dumps({"a": point})
    stand_ins = {(_Point.__module__, "_Point"): Record}
    known = hashlib.sha256(content).hexdigest()
    ours, pythons = (load_pickle(content, stand_ins, what="it", known=one) for one in ("", known))
    assert type(pythons["a"]) is Record
    assert ours["a"].fields == pythons["a"].fields == {"place": [1, 2.5]}


def _shared(levels):
    value = []
    for _ in range(levels):
        value = [value, value]
    return value


# Opcodes by hand: ( mark, ] list, ) tuple, K byte, q put, h get, \x85 and \x86 tuples of 1 and 2,
# a append, s item of a dict, } dict, . stop.
_DEEP_KEY = b"}" + b")" + b"\x85" * 100_000 + b"K\x01s."
_SHARED_KEY = b"})" + b"q\x00h\x00\x86" * 40 + b"K\x01s."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b")" + b"\x85" * 100_000 + b".", "nests more than 64 levels"),
        (b"]q\x00h\x00a.", "nests more than 64 levels"),
        (_DEEP_KEY, "a key is neither plain nor a small tuple"),
        (_SHARED_KEY, "a key is neither plain nor a small tuple"),
        (b"}](K\x01es.", "cannot be read"),
        (b"}]K\x01s.", "a key is neither plain nor a small tuple"),
        (b"\x8b\x00\x00\x00\x7f.", "a number has 2130706432 bytes"),
        (b"I" + b"1" * 5000 + b"\n.", "a number has 5000 digits"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.", "it ends too early"),
        (b"B\xff\xff\xff\x7f.", "it ends too early"),
        (b"T\xff\xff\xff\xff.", "it ends too early"),
        (b"(.", "a mark stands in the wrong place"),
        (b"K\x01K\x02.", "it ends in the middle of a value"),
        (b"K\x01e.", "a mark is missing"),
        (b"}(K\x01u.", "a key has no value"),
        (b"K\x01K\x02a.", "expected a list on the stack"),
        (b"K\x01)R.", "a call of what is no name"),
        (b"]}b.", "a state for list"),
        (b"S'a\n.", "a text is not in quotes"),
        (b"S'' + 'x'\n.", "cannot be read"),
    ],
)
def test_what_would_fill_the_memory_or_crash(content, message):
    with pytest.raises(SwapError, match=message) as caught:
        load_pickle(content, {}, what="it")
    assert str(caught.value).isprintable()


def test_what_expands_is_refused(monkeypatch):
    monkeypatch.setattr("naslib_swap.nesting.MOST_ITEMS", 1000)
    with pytest.raises(SwapError, match="it is refused: it holds more than 1,000 items"):
        load_pickle(pickle.dumps(_shared(40)), {}, what="it")


def test_a_place_of_the_memo_asks_for_no_memory():
    assert load_pickle(b"K\x01r\xff\xff\xff\x7f.", {}, what="it") == 1


def test_integers_of_one_hash_are_no_keys():
    """Multiples of 2^61 - 1 have the hash 0: a dict of a million of them would take hours."""
    with pytest.raises(SwapError, match="a key is neither plain"):
        load_pickle(pickle.dumps({(1 << 61) - 1: 0}), {}, what="it")


def test_steps_are_counted(monkeypatch):
    monkeypatch.setattr("naslib_swap.restricted_pickle.MOST_STEPS", 100)
    with pytest.raises(SwapError, match="it is refused: it takes more than 100 steps"):
        load_pickle(b"]" + b"]0" * 60 + b".", {}, what="it")


def test_encoding_again_and_again_is_refused():
    text = b"X" + (1000).to_bytes(4, "little") + b"x" * 1000 + b"q\x00"
    once = b"c_codecs\nencode\n" + text + b"X\x06\x00\x00\x00latin1\x86R"
    again = b"0c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    allowed = {("_codecs", "encode"): lambda text, encoding: text.encode(encoding)}
    assert load_pickle(once + b".", allowed, what="it") == b"x" * 1000
    with pytest.raises(SwapError, match="it encodes more text than it holds"):
        load_pickle(once + again * 10 + b".", allowed, what="it")


PLAIN_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.tuples(st.integers(0, 9), st.text()), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=20,
)


@given(PLAIN_VALUES, st.integers(3, pickle.HIGHEST_PROTOCOL))
def test_agrees_with_pythons_own_reader(value, protocol):
    assert load_pickle(pickle.dumps(value, protocol), {}, what="it") == value


@given(PLAIN_VALUES, st.integers(0, 2))
def test_agrees_on_old_protocols(value, protocol):
    allowed = {
        ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
        ("__builtin__", "bytes"): lambda: b"",
    }
    assert load_pickle(pickle.dumps(value, protocol), allowed, what="it") == value


def test_a_pth_of_plain_data(tmp_path):
    torch = pytest.importorskip("torch")
    data = [{"arch": {"depth": [2, 8]}, "accuracy": 68.33}]
    torch.save(data, tmp_path / "a.pth")
    assert load_torch_pickle(tmp_path / "a.pth") == data
    torch.save({"w": torch.zeros(2)}, tmp_path / "b.pth")
    with pytest.raises(SwapError, match=r"b\.pth.*(plain data only|cannot be read)"):
        load_torch_pickle(tmp_path / "b.pth")
    (tmp_path / "c.pth").write_bytes(b"no archive")
    with pytest.raises(SwapError, match=r"c\.pth cannot be read as \.pth: File is not a zip file"):
        load_torch_pickle(tmp_path / "c.pth")


@pytest.mark.data
@pytest.mark.parametrize("name", ["gt_autoformer", "gt_pit"])
def test_the_real_tables_of_vitbench(data_dir, name):
    rows = load_torch_pickle(data_dir / "vit" / f"{name}.pth")
    assert len(rows) == 100
    assert all(0 < row["c100_base_acc"] < 100 for row in rows)
