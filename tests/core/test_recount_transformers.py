"""Tiny HuggingFace models are counted as an independent recount counts them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from naslib_swap import SwapError, swap_score
from naslib_swap.activations import DEFAULT_ACTIVATIONS, Kind
from tests.core import recount

transformers = pytest.importorskip("transformers")

SAMPLES = 12  # 4096 patterns: more than most of these networks show
SIZES = {
    **dict.fromkeys(["hidden_size", "d_model", "n_embd", "emb_dim", "dim", "embedding_size"], 16),
    **dict.fromkeys(["word_embed_proj_dim"], 16),
    **dict.fromkeys(["num_hidden_layers", "num_layers", "n_layer", "n_layers"], 2),
    **dict.fromkeys(["encoder_layers", "decoder_layers"], 2),
    **dict.fromkeys(["num_attention_heads", "num_heads", "n_head", "n_heads"], 2),
    **dict.fromkeys(["encoder_attention_heads", "decoder_attention_heads"], 2),
    **dict.fromkeys(["num_key_value_heads"], 2),
    **dict.fromkeys(["intermediate_size", "d_ff", "hidden_dim", "d_inner", "ffn_dim"], 24),
    **dict.fromkeys(["encoder_ffn_dim", "decoder_ffn_dim"], 24),
    **dict.fromkeys(["max_position_embeddings", "n_positions"], 32),
    **{"vocab_size": 60, "d_kv": 8, "d_head": 8, "head_dim": 8, "rotary_dim": 4},
    **{"image_size": 16, "patch_size": 4, "pad_token_id": 0, "dff": 24},
}
MODELS = [
    *("bert", "roberta", "distilbert", "albert", "electra", "mobilebert", "deberta-v2", "mpnet"),
    *("xlnet", "gpt2", "gptj", "gpt_neox", "opt", "bloom", "llama", "mistral", "gemma", "phi"),
    *("t5", "mt5", "bart", "pegasus", "roformer", "fnet", "squeezebert", "nystromformer", "xlm"),
    *("persimmon", "modernbert", "vit", "deit", "dinov2", "openai-gpt", "biogpt", "ctrl"),
]
SPELT = ("NewGELUActivation", "GELUActivation", "BloomGelu", "QuickGELUActivation")
TOKENS_FIRST = {"xlnet"}


ENCODER = {
    **{"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2},
    "intermediate_size": 24,
}
DECODER = {**ENCODER, "num_key_value_heads": 2, "vocab_size": 60}
WAVES = {
    **ENCODER,
    **{"conv_dim": (8, 8), "conv_stride": (4, 2), "conv_kernel": (6, 3)},
    **{"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "mask_time_prob": 0.0},
}
STATES = {"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4, "vocab_size": 60}
VISION = {**ENCODER, "image_size": 16, "patch_size": 4}
# Whose sizes have names of their own: audio, state spaces, convolutions, windows.
OTHERS: dict[str, dict[str, Any]] = {
    "wav2vec2": WAVES,
    "hubert": WAVES,
    "whisper": {
        **{"d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 24},
        **{"encoder_attention_heads": 2, "decoder_attention_heads": 2, "decoder_ffn_dim": 24},
        **{"vocab_size": 60, "num_mel_bins": 8, "max_source_positions": 10, "pad_token_id": 0},
        **{"max_target_positions": 16, "bos_token_id": 1, "eos_token_id": 2},
        "decoder_start_token_id": 1,
    },
    "audio-spectrogram-transformer": {
        **ENCODER,
        **{"max_length": 20, "num_mel_bins": 8, "patch_size": 4, "frequency_stride": 4},
        "time_stride": 4,
    },
    "mamba": {**STATES, "conv_kernel": 3, "time_step_rank": 4},
    "falcon_mamba": {**STATES, "conv_kernel": 3, "time_step_rank": 4},
    "mamba2": {
        **STATES,
        **{"conv_kernel": 3, "num_heads": 4, "head_dim": 8, "n_groups": 2, "chunk_size": 4},
    },
    "rwkv": {**STATES, "attention_hidden_size": 16, "intermediate_size": 24},
    "recurrent_gemma": {**DECODER, "num_hidden_layers": 3, "lru_width": 16},
    "swin": {
        **{"image_size": 16, "patch_size": 2, "embed_dim": 8, "depths": [2, 2]},
        **{"num_heads": [2, 2], "window_size": 2},
    },
    "convnext": {"hidden_sizes": [8, 8, 16, 16], "depths": [1] * 4, "patch_size": 2},
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]},
    "regnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "groups_width": 8},
    "beit": VISION,
    "clip_vision_model": VISION,
    "siglip_vision_model": VISION,
    "segformer": {
        **{"hidden_sizes": [8, 8], "depths": [1, 1], "num_encoder_blocks": 2},
        **{"num_attention_heads": [1, 2], "sr_ratios": [2, 1], "patch_sizes": [3, 3]},
        **{"strides": [2, 2], "mlp_ratios": [2, 2]},
    },
    "mobilenet_v2": {"depth_multiplier": 0.25, "depth_divisible_by": 4, "min_depth": 4},
    "poolformer": {
        **{"hidden_sizes": [8] * 4, "depths": [1] * 4, "patch_sizes": [3, 2, 2, 2]},
        **{"strides": [2, 2, 2, 1], "padding": [1, 0, 0, 0]},
    },
}
# Tokens are sorted by expert: none of their rows is one sample's.
EXPERTS: dict[str, dict[str, Any]] = {
    "mixtral": {**DECODER, "num_local_experts": 4},
    "olmoe": {**DECODER, "num_experts": 4, "num_experts_per_tok": 2},
    "qwen2_moe": {
        **{**DECODER, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 12},
        "shared_expert_intermediate_size": 12,
    },
    "switch_transformers": {
        **{"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 2},
        **{"num_heads": 2, "num_experts": 4, "vocab_size": 60, "num_sparse_encoder_layers": 1},
        "num_sparse_decoder_layers": 1,
    },
}


def sizes_of(name: str, default: Any) -> dict[str, Any]:
    if name == "xlnet":
        return {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24, "vocab_size": 60}
    known = OTHERS.get(name) or EXPERTS.get(name)
    return known or {key: value for key, value in SIZES.items() if hasattr(default, key)}


def model(name: str, dropout: bool) -> Any:
    """A tiny model with random weights; without dropout, or with what its authors chose."""
    if name not in transformers.CONFIG_MAPPING:
        pytest.skip("this version of transformers does not have it")
    config_class = transformers.CONFIG_MAPPING[name]
    config = config_class(**sizes_of(name, config_class()))
    if not dropout:
        for key, value in vars(config).items():
            if ("drop" in key or "pdrop" in key) and isinstance(value, float):
                setattr(config, key, 0.0)
    torch.manual_seed(0)
    return transformers.AutoModel.from_config(config)


def inputs_of(net: Any) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(2, 50, (SAMPLES, 10), generator=generator)
    shapes = {"pixel_values": (3, 16, 16), "input_values": (200,), "input_features": (8, 20)}
    if net.config.model_type == "audio-spectrogram-transformer":
        shapes["input_values"] = (20, 8)
    name = net.main_input_name
    more = {"decoder_input_ids": ids} if net.config.is_encoder_decoder else {}
    if name == "input_ids":
        return {name: ids, **more}
    return {name: torch.randn(SAMPLES, *shapes[name], generator=generator), **more}


def recounted(net: nn.Module, inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    net.train()
    return recount.activations(net, lambda: net(**inputs), SPELT)


@pytest.mark.parametrize("name", [*MODELS, *OTHERS])
def test_the_recount_agrees(name: str) -> None:
    bare, net = model(name, dropout=False), model(name, dropout=True)
    inputs = inputs_of(net)
    matrix = recount.rows(recounted(bare, inputs), SAMPLES, int(name in TOKENS_FIRST), 1, "")
    result = swap_score(net, inputs)
    assert (result.values, result.score) == (matrix.shape[1], recount.distinct(matrix))
    assert swap_score(net, inputs) == result


@pytest.mark.parametrize("name", EXPERTS)
def test_rows_that_are_sorted_by_expert_are_refused(name: str) -> None:
    net = model(name, dropout=True)
    message = (
        r"change (with several of the 12 samples|in number or shape).*with_module\('ITS CLASS'"
    )
    with pytest.raises(SwapError, match=message):
        swap_score(net, inputs_of(net))


def test_what_is_left_without_experts_is_counted() -> None:
    bare, net = model("qwen2_moe", dropout=False), model("qwen2_moe", dropout=True)
    if not any(type(module).__name__ == "Qwen2MoeExperts" for module in net.modules()):
        pytest.skip("before transformers 5 an expert is a module like the shared one")
    found = recounted(bare, inputs_of(net))
    shared = [tensor for tensor in found if len(tensor) == SAMPLES * 10]  # two experts each: 240
    matrix = recount.rows(shared, SAMPLES, 0, 1, "")
    table = DEFAULT_ACTIVATIONS.with_module("Qwen2MoeExperts", Kind("experts", recorded=False))
    result = swap_score(net, inputs_of(net), activations=table)
    assert (result.values, result.score) == (matrix.shape[1], recount.distinct(matrix))
    assert result.unrecorded["experts"] == 2
