"""One FlexiBERT encoder as plain data: read, checked, written, sampled.

The notation is that of NAS-Bench-BERT (Serianni and Kalita, arXiv 2306.00288): a hidden size and a
list of layers, each with its mixing operation, its heads and its feed-forward network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Union

import numpy as np

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.json_files import parse_json

OPERATIONS: dict[str, tuple[Union[str, int], ...]] = {
    "SA": ("SDP", "WMA"),
    "LT": ("DFT", "DCT"),
    "DSC": (5, 9),
}
HIDDEN_SIZES = (128, 256)
DEPTHS = (2, 4)
HEADS = (2, 4)
FEED_FORWARD_DIMENSIONS = (512, 1024)
FEED_FORWARD_LAYERS = (1, 3)

_LAYER_KEYS = (
    "operation_type",
    "operation_parameter",
    "num_operation_heads",
    "feed_forward_dimension",
    "num_feed_forward",
)


@dataclass(frozen=True)
class Layer:
    """One encoder layer.

    ``operation`` is ``SA`` (self-attention), ``LT`` (linear transform) or ``DSC`` (dynamic span
    convolution); ``parameter`` is ``SDP``/``WMA``, ``DFT``/``DCT`` or an odd kernel size.
    """

    operation: str
    parameter: Union[str, int]
    heads: int
    feed_forward_dimension: int
    feed_forward_layers: int

    def __post_init__(self) -> None:
        if not isinstance(self.operation, str) or self.operation not in OPERATIONS:
            raise BadArgument(
                f"unknown operation {self.operation!r}; expected one of {', '.join(OPERATIONS)}"
            )
        if self.operation == "DSC":
            kernel = self.parameter
            if not _is_count(kernel) or int(kernel) % 2 == 0:
                raise BadArgument(
                    f"operation DSC got the parameter {kernel!r}; expected an odd kernel size, "
                    "such as 5 or 9"
                )
        elif self.parameter not in OPERATIONS[self.operation]:
            known = ", ".join(str(p) for p in OPERATIONS[self.operation])
            raise BadArgument(
                f"operation {self.operation} got the parameter {self.parameter!r}; "
                f"expected one of {known}"
            )
        for name in ("heads", "feed_forward_dimension", "feed_forward_layers"):
            if not _is_count(getattr(self, name)):
                raise BadArgument(
                    f"a layer's {name} is {getattr(self, name)!r}; expected a whole number of at "
                    "least 1"
                )


@dataclass(frozen=True)
class Encoder:
    """A heterogeneous encoder: its hidden size as given, and its layers, first to last."""

    hidden_size: int
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if not _is_count(self.hidden_size):
            raise BadArgument(
                f"hidden_size is {self.hidden_size!r}; expected a whole number of at least 1"
            )
        if not self.layers:
            raise BadArgument("the encoder has no layers; expected at least one")
        for number, layer in enumerate(self.layers):
            if self.hidden_size % layer.heads:
                raise BadArgument(
                    f"layer {number} has {layer.heads} heads, which do not divide the hidden size "
                    f"{self.hidden_size}; choose a number of heads that does"
                )

    @property
    def activation_calls(self) -> int:
        """How often an activation function is called in one forward pass."""
        return sum(layer.feed_forward_layers for layer in self.layers)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def from_dict(given: Mapping[str, Any]) -> Encoder:
    """Read an encoder from the benchmark's notation.

    ``given`` has ``hidden_size`` and ``nas_config.encoder_layers`` (or ``encoder_layers`` itself).
    A whole entry of the benchmark is accepted too. BadArgument names what is missing.
    """
    for key in ("hparams", "model_hparam_overrides"):
        given = _inside(given, key)
    inner = _inside(given, "nas_config")
    missing = [
        key for key, home in (("hidden_size", given), ("encoder_layers", inner)) if key not in home
    ]
    if missing:
        raise BadArgument(
            f"the encoder lacks {' and '.join(missing)}; expected "
            '{"hidden_size": 256, "nas_config": {"encoder_layers": [...]}}'
        )
    layers = inner["encoder_layers"]
    if not isinstance(layers, (list, tuple)):
        raise BadArgument(f"encoder_layers is a {type(layers).__name__}; expected a list of layers")
    return Encoder(given["hidden_size"], tuple(_layer(i, layer) for i, layer in enumerate(layers)))


def _inside(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the mapping under a key, or, without that key, what was given."""
    inner = given.get(key, given)
    if not isinstance(inner, Mapping):
        raise BadArgument(f"the encoder's {key} is {inner!r}; expected a mapping")
    return inner


def _layer(number: int, given: Any) -> Layer:
    if not isinstance(given, Mapping):
        raise BadArgument(f"layer {number} is {given!r}; expected a mapping with {_LAYER_KEYS}")
    missing = [key for key in _LAYER_KEYS if key not in given]
    if missing:
        raise BadArgument(
            f"layer {number} lacks {', '.join(missing)}; expected the keys {', '.join(_LAYER_KEYS)}"
        )
    return Layer(*(given[key] for key in _LAYER_KEYS))


def to_dict(encoder: Encoder) -> dict[str, Any]:
    """Write an encoder in the benchmark's notation; the inverse of :func:`from_dict`."""
    layers = [
        dict(
            zip(
                _LAYER_KEYS,
                (
                    layer.operation,
                    layer.parameter,
                    layer.heads,
                    layer.feed_forward_dimension,
                    layer.feed_forward_layers,
                ),
            )
        )
        for layer in encoder.layers
    ]
    return {"hidden_size": encoder.hidden_size, "nas_config": {"encoder_layers": layers}}


def from_json(text: str) -> Encoder:
    """Read an encoder from JSON text; BadFile where it is no JSON object."""
    given = parse_json(text, "the encoder")
    if not isinstance(given, Mapping):
        raise BadFile(f"the encoder's JSON is a {type(given).__name__}; expected an object")
    return from_dict(given)


def sample(rng: np.random.Generator) -> Encoder:
    """Draw an encoder from the benchmark's space, every choice uniformly."""
    hidden = int(rng.choice(HIDDEN_SIZES))
    depth = int(rng.choice(DEPTHS))
    return Encoder(hidden, tuple(_sample_layer(rng) for _ in range(depth)))


def _sample_layer(rng: np.random.Generator) -> Layer:
    operation = list(OPERATIONS)[rng.integers(len(OPERATIONS))]
    choices = OPERATIONS[operation]
    return Layer(
        operation,
        choices[rng.integers(len(choices))],
        int(rng.choice(HEADS)),
        int(rng.choice(FEED_FORWARD_DIMENSIONS)),
        int(rng.choice(FEED_FORWARD_LAYERS)),
    )


def encode(encoder: Encoder) -> str:
    """Write an encoder as one short string, such as ``256/SA-WMA-4-1024x3/LT-DCT-2-512x1``.

    Hidden size, then each layer: operation, parameter, heads, feed-forward dimension x layers.
    """
    layers = (
        f"{x.operation}-{x.parameter}-{x.heads}-{x.feed_forward_dimension}x{x.feed_forward_layers}"
        for x in encoder.layers
    )
    return "/".join([str(encoder.hidden_size), *layers])


_LAYER = re.compile(r"([A-Z]+)-(\w+)-(\d+)-(\d+)x(\d+)")


def parse(text: str) -> Encoder:
    """Read an encoder from :func:`encode`'s notation; BadArgument on anything else."""
    hidden, *layers = text.strip().split("/")
    matches = [_LAYER.fullmatch(layer) for layer in layers]
    if not hidden.isdecimal() or not layers or not all(matches):
        raise BadArgument(
            f"cannot read the encoder {text!r}; expected a hidden size and layers, such as "
            "256/SA-WMA-4-1024x3/LT-DCT-2-512x1"
        )
    read = []
    for match in matches:
        assert match is not None
        operation, parameter, *counts = match.groups()
        kernel = operation == "DSC" and parameter.isdecimal()
        read.append(Layer(operation, int(parameter) if kernel else parameter, *map(int, counts)))
    return Encoder(int(hidden), tuple(read))


def attention_only(encoder: Encoder) -> Encoder:
    """Replace every mixing operation by scaled dot product attention with as many heads.

    As the released pre-training code reads, it builds this network whatever the operations are
    (docs/flexibert.md).
    """
    layers = (replace(layer, operation="SA", parameter="SDP") for layer in encoder.layers)
    return Encoder(encoder.hidden_size, tuple(layers))
