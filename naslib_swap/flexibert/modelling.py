"""The HuggingFace model of a FlexiBERT encoder, registered with ``AutoModel``."""

from __future__ import annotations

from typing import Any, Optional, Union

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from naslib_swap.errors import BadArgument
from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.mixing import build_mixing


class Embeddings(nn.Module):
    """Word, position and segment embeddings, summed, normalised, projected to the width."""

    def __init__(self, config: FlexiBertConfig) -> None:
        super().__init__()
        size = config.embedding_size
        self.words = nn.Embedding(config.vocab_size, size, padding_idx=config.pad_token_id)
        self.positions = nn.Embedding(config.max_position_embeddings, size)
        self.segments = nn.Embedding(config.type_vocab_size, size)
        self.norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.project = (
            nn.Linear(size, config.hidden_size) if size != config.hidden_size else nn.Identity()
        )

    def forward(self, words: Tensor, segments: Tensor, positions: Tensor) -> Tensor:
        """[B, T, E] embedded words and int [B, T] segments, [1 or B, T] positions to [B, T, W]."""
        total = words + self.segments(segments) + self.positions(positions)
        return self.project(self.dropout(self.norm(total)))


class Residual(nn.Module):
    """LayerNorm(x + dropout(dense(y))): how a block's result returns to the stream."""

    def __init__(self, inner: int, config: FlexiBertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(inner, config.hidden_size)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, result: Tensor, stream: Tensor) -> Tensor:
        """[B, T, inner] result and [B, T, W] stream to [B, T, W]."""
        return self.norm(stream + self.dropout(self.dense(result)))


class FeedForward(nn.Module):
    """One or more linear layers, each followed by a GELU."""

    def __init__(self, width: int, widths: list[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip([width, *widths[:-1]], widths))
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, W] to [B, T, widths[-1]]."""
        for layer in self.layers:
            x = self.activation(layer(x))
        return x


class EncoderLayer(nn.Module):
    """One mixing operation and one feed-forward network."""

    def __init__(self, config: FlexiBertConfig, number: int) -> None:
        super().__init__()
        layer = config.encoder.layers[number]
        width = config.hidden_size
        widths = config.feed_forward_widths(number)
        self.mixing = build_mixing(layer, width, config.attention_probs_dropout_prob)
        # The networks behind the published scores lack this after a linear transform.
        bare = config.fidelity == "paper" and layer.operation == "LT"
        self.mixing_output = None if bare else Residual(width, config)
        self.feed_forward = FeedForward(width, widths)
        self.feed_forward_output = Residual(widths[-1], config)

    def mix(self, x: Tensor, mask: Optional[Tensor]) -> Tensor:
        """What comes before the feed-forward network: [B, T, W] to [B, T, W]."""
        mixed = self.mixing(x, mask)
        return mixed if self.mixing_output is None else self.mixing_output(mixed, x)

    def forward(self, x: Tensor, mask: Optional[Tensor]) -> Tensor:
        """[B, T, W] to [B, T, W]; ``mask`` is bool [B, T], True for real tokens."""
        mixed = self.mix(x, mask)
        return self.feed_forward_output(self.feed_forward(mixed), mixed)


class FlexiBertModel(PreTrainedModel):
    """A heterogeneous encoder (FlexiBERT, arXiv 2205.11656; NAS-Bench-BERT, arXiv 2306.00288)."""

    config_class = FlexiBertConfig
    base_model_prefix = "flexibert"
    main_input_name = "input_ids"

    def __init__(self, config: FlexiBertConfig) -> None:
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(
            EncoderLayer(config, number) for number in range(config.num_hidden_layers)
        )
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """N(0, initializer_range) weights and zero biases, as in ELECTRA."""
        if isinstance(module, (nn.Linear, nn.Conv1d, nn.Embedding)):
            nn.init.normal_(module.weight, 0.0, self.config.initializer_range)
            if isinstance(module, nn.Embedding):
                if module.padding_idx is not None:
                    with torch.no_grad():
                        module.weight[module.padding_idx].zero_()
            elif module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)

    def get_input_embeddings(self) -> nn.Module:
        """Return the word embeddings."""
        return self.embeddings.words

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the word embeddings."""
        assert isinstance(value, nn.Embedding)
        self.embeddings.words = value

    def embed(
        self,
        input_ids: Optional[Tensor] = None,
        token_type_ids: Optional[Tensor] = None,
        position_ids: Optional[Tensor] = None,
        inputs_embeds: Optional[Tensor] = None,
    ) -> Tensor:
        """What the first layer gets, [B, T, W]; arguments as of :meth:`forward`."""
        if (input_ids is None) == (inputs_embeds is None):
            raise BadArgument("pass either input_ids or inputs_embeds, one of them")
        words = self.embeddings.words(input_ids) if inputs_embeds is None else inputs_embeds
        batch, length = words.shape[:2]
        if length > self.config.max_position_embeddings:
            raise BadArgument(
                f"got documents of {length} tokens, expected at most "
                f"{self.config.max_position_embeddings}: cut them, or raise "
                "max_position_embeddings"
            )
        if token_type_ids is None:
            token_type_ids = torch.zeros(batch, length, dtype=torch.long, device=words.device)
        if position_ids is None:
            position_ids = torch.arange(length, device=words.device)[None]
        return self.embeddings(words, token_type_ids, position_ids)

    def mask(self, attention_mask: Optional[Tensor]) -> Optional[Tensor]:
        """What the layers get: True for real tokens; None where masks are ignored."""
        if attention_mask is None or self.config.fidelity == "paper":
            return None
        return attention_mask.to(torch.bool)

    def forward(
        self,
        input_ids: Optional[Tensor] = None,
        attention_mask: Optional[Tensor] = None,
        token_type_ids: Optional[Tensor] = None,
        position_ids: Optional[Tensor] = None,
        inputs_embeds: Optional[Tensor] = None,
        output_hidden_states: Optional[bool] = None,
        return_dict: Optional[bool] = None,
    ) -> Union[BaseModelOutput, tuple[Any, ...]]:
        """Encode documents.

        ``input_ids`` is int64 [B, T] (or ``inputs_embeds`` float [B, T, E]), ``attention_mask``
        [B, T] with 1 for real tokens; it has an effect at fidelity ``"trained"`` alone. Returns
        ``last_hidden_state`` [B, T, W], and all hidden states where asked for.
        """
        x = self.embed(input_ids, token_type_ids, position_ids, inputs_embeds)
        mask = self.mask(attention_mask)
        states = [x]
        for layer in self.layers:
            x = layer(x, mask)
            states.append(x)
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        hidden = tuple(states) if output_hidden_states else None
        if return_dict is False:
            return (x,) if hidden is None else (x, hidden)
        return BaseModelOutput(last_hidden_state=x, hidden_states=hidden)


AutoConfig.register(FlexiBertConfig.model_type, FlexiBertConfig, exist_ok=True)
AutoModel.register(FlexiBertConfig, FlexiBertModel, exist_ok=True)
