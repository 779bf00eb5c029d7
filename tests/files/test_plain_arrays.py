"""Arrays from pickles and .npy: the right numbers, and nothing that could corrupt memory."""

from __future__ import annotations

import io
import pickle
import struct

import numpy as np
import pytest

from naslib_swap.errors import SwapError
from naslib_swap.plain_arrays import PICKLED, Header, plain_array, plain_dtype
from naslib_swap.restricted_pickle import load_pickle

ARRAYS = [
    np.arange(12, dtype=np.uint8).reshape(3, 4),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(4, dtype=">i4"),
    np.zeros((2, 0), np.float16),
    np.array([True, False]),
    np.array(5.0),
]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_pickled_arrays(array, protocol):
    found = load_pickle(pickle.dumps(array, protocol), PICKLED, what="it").array
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_single_numbers_become_pythons_own():
    found = load_pickle(pickle.dumps([np.int64(7), np.float32(0.5)]), PICKLED, what="it")
    assert found == [7, 0.5]
    assert [type(value) for value in found] == [int, float]


def _text(text):
    raw = text.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def _dtype(text, state=None):
    made = b"cnumpy\ndtype\n" + _text(text) + b"K\x00K\x01\x87R"
    return made if state is None else made + state + b"b"


def _array(dtype, shape, raw, state_of=5):
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n(K\x00t" + _text("b") + b"\x87R"
    length = struct.pack("<I", len(raw))
    return made + b"(K\x01" + shape + dtype + b"\x89B" + length + raw + b"tb."


PLAIN_STATE = b"(K\x03" + _text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"
OBJECTS_STATE = (
    b"(K\x03"
    + _text("|")
    + b"N("
    + _text("a")
    + b"t}"
    + _text("a")
    + b"("
    + _dtype("O8")
    + b"K\x00ts"
    b"K\x08K\x01K\x00t"
)
DATES_STATE = (
    b"(K\x04"
    + _text("<")
    + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00}(C\x02ns(K\x01K\x01K\x01K\x01ttt"
)


def test_the_hand_written_array_is_right():
    content = _array(_dtype("i2", PLAIN_STATE), b"(K\x02t", b"\x01\x00\x02\x00")
    assert load_pickle(content, PICKLED, what="it").array.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        # Fields of objects over raw bytes: a pointer that the file chooses.
        (_array(_dtype("V8", OBJECTS_STATE), b"(K\x01t", b"A" * 8), "'V8' is no plain type"),
        (_array(_dtype("O8"), b"(K\x01t", b"A" * 8), "'O8' is no plain type"),
        (_array(_dtype("u1", OBJECTS_STATE), b"(K\x08t", b"A" * 8), "'O8' is no plain type"),
        (_array(_dtype("M8", DATES_STATE), b"(K\x01t", b"A" * 8), "'M8' is no plain type"),
        (
            _array(_dtype("i8", DATES_STATE), b"(K\x01t", b"A" * 8),
            "the type of an array .*metadata",
        ),
        (_array(_dtype("i8", b"(K\x03t"), b"(K\x01t", b"A" * 8), "cannot be read"),
        (_array(_dtype("u1"), b"(K\x09t", b"A" * 8), r"uint8 \(9,\) does not fit its 8 bytes"),
        (_array(_dtype("u1"), b"(J\xff\xff\xff\xffJ\xf8\xff\xff\xfft", b"A" * 8), "is no shape"),
        (
            _array(_dtype("u1"), b"(" + b"\x8a\x08" + b"\xff" * 7 + b"\x7f" + b"t", b"A"),
            "is no shape",
        ),
        (_array(_dtype("u1"), b"K\x08", b"A" * 8), "is no shape"),
        (_array(b"N", b"(K\x08t", b"A" * 8), "an array's type or numbers are missing"),
        (_array(b"cnumpy\ndtype\n", b"(K\x08t", b"A" * 8), "type or numbers are missing"),
        (_dtype("u1,O") + b".", "'u1,O' is no plain type"),
        (b"cnumpy\ndtype\n]\x85R.", "is no plain type"),
        (
            b"cnumpy.core.multiarray\n_reconstruct\nNK\x05\x85N\x87R.",
            "is not empty when it is made",
        ),
    ],
)
def test_crafted_arrays(content, message):
    with pytest.raises(SwapError, match=message) as caught:
        load_pickle(content, PICKLED, what="it")
    assert str(caught.value).startswith("it cannot be read")


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_npy_headers(array):
    file = io.BytesIO()
    np.save(file, array)
    file.seek(0)
    header = Header(file)
    assert (header.dtype, header.shape, header.bytes) == (array.dtype, array.shape, array.nbytes)
    found = plain_array(file.read(), header.dtype, header.shape, header.fortran)
    np.testing.assert_array_equal(found, array)


def test_bad_npy_headers():
    def header(text, version=1):
        length = len(text).to_bytes(2 if version == 1 else 4, "little")
        return Header(io.BytesIO(b"\x93NUMPY" + bytes([version, 0]) + length + text))

    with pytest.raises(ValueError, match="does not begin as"):
        Header(io.BytesIO(b"PK"))
    with pytest.raises(ValueError, match="has 60,000 bytes"):
        header(b" " * 60_000, version=2)
    with pytest.raises(ValueError, match="is no header"):
        header(b"{'descr': '<u1'}")
    with pytest.raises(ValueError, match="is no shape"):
        header(b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 2)}")


def test_plain_types():
    assert plain_dtype("<f4") == np.float32
    assert plain_dtype(b"u1") == np.uint8
    for text in ("O", "M8[ns]", "u1,u1", "f16", "S5", "", "<", 5, None, "uint8"):
        with pytest.raises(ValueError, match="is no plain type of number"):
            plain_dtype(text)
