"""Tiny HuggingFace models are counted as an independent recount counts them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from naslib_swap import swap_score
from tests.core import recount

transformers = pytest.importorskip("transformers")

SAMPLES = 5
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


def model(name: str, dropout: bool) -> Any:
    """A tiny model with random weights; without dropout, or with what its authors chose."""
    config_class = transformers.CONFIG_MAPPING[name]
    default = config_class()
    sizes = {key: value for key, value in SIZES.items() if hasattr(default, key)}
    if name == "xlnet":
        sizes = {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24, "vocab_size": 60}
    config = config_class(**sizes)
    if not dropout:
        for key, value in vars(config).items():
            if ("drop" in key or "pdrop" in key) and isinstance(value, float):
                setattr(config, key, 0.0)
    torch.manual_seed(0)
    return transformers.AutoModel.from_config(config)


def inputs_of(net: Any) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    if net.main_input_name == "pixel_values":
        return {"pixel_values": torch.randn(SAMPLES, 3, 16, 16, generator=generator)}
    ids = torch.randint(2, 50, (SAMPLES, 10), generator=generator)
    more = {"decoder_input_ids": ids} if net.config.is_encoder_decoder else {}
    return {"input_ids": ids, **more}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_recount_agrees(name: str) -> None:
    try:
        bare, net = model(name, dropout=False), model(name, dropout=True)
    except KeyError:
        pytest.skip("this version of transformers does not have it")
    assert isinstance(net, nn.Module)
    inputs = inputs_of(net)
    bare.train()
    found = recount.activations(bare, lambda: bare(**inputs), SPELT)
    matrix = recount.rows(found, SAMPLES, int(name in TOKENS_FIRST), 1, "")
    result = swap_score(net, inputs)
    assert (result.values, result.score) == (matrix.shape[1], recount.distinct(matrix))
    assert swap_score(net, inputs) == result
