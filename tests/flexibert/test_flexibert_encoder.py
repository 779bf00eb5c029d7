from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naslib_swap.errors import SwapError
from naslib_swap.flexibert.encoder import (
    Encoder,
    Layer,
    attention_only,
    encode,
    from_dict,
    from_json,
    parse,
    sample,
    to_dict,
)

LAYER = {
    "operation_type": "SA",
    "operation_parameter": "WMA",
    "num_operation_heads": 4,
    "feed_forward_dimension": 512,
    "num_feed_forward": 3,
}
GIVEN = {"hidden_size": 128, "nas_config": {"encoder_layers": [LAYER]}}


def test_reads_the_benchmarks_notation() -> None:
    expected = Encoder(128, (Layer("SA", "WMA", 4, 512, 3),))
    assert from_dict(GIVEN) == expected
    assert from_dict({"hparams": {"model_hparam_overrides": GIVEN}}) == expected
    assert from_dict({"hidden_size": 128, "encoder_layers": [LAYER]}) == expected
    assert from_json(json.dumps(GIVEN)) == expected
    assert expected.activation_calls == 3


def test_short_notation_is_what_it_says() -> None:
    encoder = Encoder(256, (Layer("DSC", 9, 2, 512, 1), Layer("LT", "DCT", 4, 1024, 3)))
    assert encode(encoder) == "256/DSC-9-2-512x1/LT-DCT-4-1024x3"


@given(st.integers(0, 2**32 - 1))
def test_samples_are_valid_and_survive_both_notations(seed: int) -> None:
    encoder = sample(np.random.default_rng(seed))
    assert len(encoder.layers) in (2, 4)
    assert encoder.hidden_size in (128, 256)
    assert from_json(json.dumps(to_dict(encoder))) == encoder
    assert parse(encode(encoder)) == encoder


def test_sampling_reaches_every_operation() -> None:
    rng = np.random.default_rng(0)
    met = {layer.parameter for _ in range(60) for layer in sample(rng).layers}
    assert met == {"SDP", "WMA", "DFT", "DCT", 5, 9}


def test_attention_only_changes_the_operations_alone() -> None:
    given = parse("128/DSC-9-2-512x1/LT-DCT-4-1024x3")
    assert attention_only(given) == parse("128/SA-SDP-2-512x1/SA-SDP-4-1024x3")


@pytest.mark.parametrize("key", list(LAYER))
def test_a_missing_key_is_named(key: str) -> None:
    layer = {k: v for k, v in LAYER.items() if k != key}
    with pytest.raises(SwapError, match=f"layer 0 lacks {key}"):
        from_dict({"hidden_size": 128, "nas_config": {"encoder_layers": [layer]}})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nas_config": {"encoder_layers": [LAYER]}}, "lacks hidden_size"),
        ({"hidden_size": 128}, "lacks encoder_layers"),
        ({}, "lacks hidden_size and encoder_layers"),
        ({"hidden_size": 128, "encoder_layers": "SA"}, "expected a list"),
        ({"hidden_size": 128, "encoder_layers": [3]}, "layer 0 is 3"),
        ({"hidden_size": 128, "encoder_layers": []}, "no layers"),
        ({"hidden_size": "128", "encoder_layers": [LAYER]}, "hidden_size is '128'"),
    ],
)
def test_a_broken_encoder_says_what_is_wrong(given: dict[str, object], message: str) -> None:
    with pytest.raises(SwapError, match=message):
        from_dict(given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"operation_type": "MLP"}, "unknown operation 'MLP'"),
        ({"operation_parameter": "DFT"}, "operation SA got the parameter 'DFT'"),
        ({"operation_type": "DSC", "operation_parameter": 4}, "odd kernel size"),
        ({"operation_type": "DSC", "operation_parameter": "SDP"}, "odd kernel size"),
        ({"num_operation_heads": 3}, "3 heads, which do not divide the hidden size 128"),
        ({"num_operation_heads": 0}, "heads is 0"),
        ({"num_feed_forward": True}, "feed_forward_layers is True"),
    ],
)
def test_a_broken_layer_says_what_is_wrong(change: dict[str, object], message: str) -> None:
    with pytest.raises(SwapError, match=message):
        from_dict({"hidden_size": 128, "encoder_layers": [{**LAYER, **change}]})


@pytest.mark.parametrize("text", ["", "256", "256/SA", "x/SA-SDP-4-512x1", "256/SA-SDP-4-512"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(SwapError, match="cannot read the encoder"):
        parse(text)


def test_text_that_is_not_json_is_refused() -> None:
    with pytest.raises(SwapError, match="no JSON"):
        from_json("{")
    with pytest.raises(SwapError, match="expected an object"):
        from_json("[]")
