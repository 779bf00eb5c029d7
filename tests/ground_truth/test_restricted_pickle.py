"""Foreign pickles: refused as a whole, with nothing of them run."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naslib_swap.errors import SwapError
from naslib_swap.restricted_pickle import load_pickle

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
