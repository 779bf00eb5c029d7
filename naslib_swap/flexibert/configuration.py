"""The HuggingFace configuration of a FlexiBERT encoder."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Optional

from transformers import PretrainedConfig

from naslib_swap.errors import BadArgument, Unscorable
from naslib_swap.flexibert.choices import FIDELITIES, MAX_LENGTH
from naslib_swap.flexibert.encoder import Encoder, from_dict, to_dict

PAPER_WIDTH = 256
PAPER_FEED_FORWARD = 1024

_SETTINGS = (
    "vocab_size",
    "embedding_size",
    "max_position_embeddings",
    "type_vocab_size",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "initializer_range",
    "layer_norm_eps",
    "pad_token_id",
)

_DEFAULT = {
    "hidden_size": 256,
    "nas_config": {
        "encoder_layers": [
            {
                "operation_type": "SA",
                "operation_parameter": "SDP",
                "num_operation_heads": 4,
                "feed_forward_dimension": 1024,
                "num_feed_forward": 1,
            }
        ]
    },
}


class FlexiBertConfig(PretrainedConfig):
    """Configuration of a heterogeneous encoder.

    Parameters
    ----------
    architecture
        The encoder in the benchmark's notation (:mod:`naslib_swap.flexibert.encoder`).
    fidelity
        ``"paper"``: the networks that the published scores were computed on. Their width is always
        256 and all feed-forward layers have 1024 units, whatever the architecture says; linear
        transforms have neither an output projection nor a residual connection of their own;
        attention masks are ignored.
        ``"trained"``: the networks as pre-trained. The width is the hidden size as given, the first
        feed-forward layer has four times as many units, the further ones
        ``feed_forward_dimension``; every operation is followed by a projection, a residual and a
        LayerNorm; attention masks are honoured.
    vocab_size, embedding_size, max_position_embeddings, type_vocab_size
        The embeddings: entries, width, longest sequence in tokens, segment types.
    hidden_dropout_prob, attention_probs_dropout_prob, initializer_range, layer_norm_eps
        As in ELECTRA-small.

    ``hidden_size`` and ``num_hidden_layers`` follow from the above.

    Raises
    ------
    BadArgument
        Where the architecture or the fidelity is not valid.
    Unscorable
        Where the fidelity cannot build the architecture: its width is no multiple of the heads.
    """

    model_type = "naslib_swap_flexibert"

    def __init__(
        self,
        architecture: Optional[dict[str, Any]] = None,
        fidelity: str = "paper",
        vocab_size: int = 30522,
        embedding_size: int = 128,
        max_position_embeddings: int = MAX_LENGTH,
        type_vocab_size: int = 2,
        hidden_dropout_prob: float = 0.1,
        attention_probs_dropout_prob: float = 0.1,
        initializer_range: float = 0.02,
        layer_norm_eps: float = 1e-12,
        pad_token_id: int = 0,
        **kwargs: Any,
    ) -> None:
        if fidelity not in FIDELITIES:
            raise BadArgument(
                f"got fidelity {fidelity!r}, expected one of {', '.join(FIDELITIES)}."
            )
        encoder = from_dict(_DEFAULT if architecture is None else architecture)
        # Derived, so never taken from a saved file.
        kwargs.pop("hidden_size", None)
        kwargs.pop("num_hidden_layers", None)
        super().__init__(**kwargs)
        self.pad_token_id = pad_token_id
        self.architecture = to_dict(encoder)
        self.fidelity = fidelity
        self.hidden_size = PAPER_WIDTH if fidelity == "paper" else encoder.hidden_size
        self.num_hidden_layers = len(encoder.layers)
        self.vocab_size = vocab_size
        self.embedding_size = embedding_size
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.hidden_dropout_prob = hidden_dropout_prob
        self.attention_probs_dropout_prob = attention_probs_dropout_prob
        self.initializer_range = initializer_range
        self.layer_norm_eps = layer_norm_eps
        for number, layer in enumerate(encoder.layers):
            if self.hidden_size % layer.heads:
                raise Unscorable(
                    f"layer {number} has {layer.heads} heads, which do not divide the width "
                    f"{self.hidden_size} of fidelity {fidelity!r}."
                )

    @classmethod
    def from_encoder(
        cls, encoder: Encoder, fidelity: str = "paper", **settings: Any
    ) -> FlexiBertConfig:
        """Return the configuration of an encoder at a fidelity."""
        return cls(architecture=to_dict(encoder), fidelity=fidelity, **settings)

    @property
    def encoder(self) -> Encoder:
        """The architecture as plain data, as it was given."""
        return from_dict(self.architecture)

    def feed_forward_widths(self, number: int) -> list[int]:
        """Return the units of each feed-forward layer of encoder layer ``number``."""
        layer = self.encoder.layers[number]
        if self.fidelity == "paper":
            return [PAPER_FEED_FORWARD] * layer.feed_forward_layers
        further = [layer.feed_forward_dimension] * (layer.feed_forward_layers - 1)
        return [4 * self.hidden_size, *further]

    def network(self) -> Encoder:
        """Return the encoder whose widths are those that are built: one for each network."""
        layers = (
            replace(layer, feed_forward_dimension=self.feed_forward_widths(number)[-1])
            for number, layer in enumerate(self.encoder.layers)
        )
        return Encoder(self.hidden_size, tuple(layers))

    def parts(self) -> tuple[str, ...]:
        """Name what the network consists of: the embeddings, then each layer, one string per part.

        Two networks whose parts begin alike are the same as far as they do. At fidelity ``"paper"``
        that says nothing of widths that the architecture states and the network ignores.
        """
        common = {name: getattr(self, name) for name in ("fidelity", "hidden_size", *_SETTINGS)}
        named = [json.dumps(common, sort_keys=True)]
        for number, layer in enumerate(self.encoder.layers):
            widths = "-".join(map(str, self.feed_forward_widths(number)))
            named.append(f"{layer.operation}-{layer.parameter}-{layer.heads}-{widths}")
        return tuple(named)
