"""Tiny configurations of transformers: each is scored, or refused with the reason."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from naslib_swap import compare_models

SMALL = {
    "vocab_size": 99, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 40,
}  # fmt: skip
DECODER = {**SMALL, "num_key_value_heads": 2}
PIXELS = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "image_size": 16, "patch_size": 8,
}  # fmt: skip
SOUND = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "conv_dim": (8, 8), "conv_stride": (4, 4), "conv_kernel": (8, 4), "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip

SCORED: dict[str, dict[str, Any]] = {
    "bert": SMALL,
    "roberta": SMALL,
    "electra": {**SMALL, "embedding_size": 8},
    "distilbert": {
        "vocab_size": 99, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32,
        "max_position_embeddings": 40,
    },
    "gpt2": {"vocab_size": 99, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40},
    "opt": {
        "vocab_size": 99, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "ffn_dim": 32, "max_position_embeddings": 40, "word_embed_proj_dim": 16,
    },
    "llama": DECODER,
    "qwen2": DECODER,
    "t5": {
        "vocab_size": 99, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2,
        "num_decoder_layers": 2,
    },
    "bart": {
        "vocab_size": 99, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32, "max_position_embeddings": 40,
    },
    "mamba": {"vocab_size": 99, "hidden_size": 16, "state_size": 4, "num_hidden_layers": 2},
    "vit": PIXELS,
    "deit": PIXELS,
    "resnet": {
        "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic",
    },
    "convnext": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2},
}  # fmt: skip
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "mixtral": (
        {**DECODER, "num_local_experts": 2, "num_experts_per_tok": 1},
        "rows",
    ),
    "wav2vec2": (SOUND, "takes sound, which we do not have: give --inputs"),
    "hubert": (SOUND, "takes sound, which we do not have: give --inputs"),
    "whisper": (
        {
            "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "vocab_size": 99, "pad_token_id": 0, "bos_token_id": 1,
            "eos_token_id": 2, "decoder_start_token_id": 1,
        },
        "takes sound, which we do not have: give --inputs",
    ),
    "clip": (
        {"text_config": SMALL, "vision_config": PIXELS, "projection_dim": 8},
        "takes text and vision, which we do not have",
    ),
}  # fmt: skip


def configuration(folder: Path, kind: str, values: dict[str, Any]) -> str:
    file = folder / kind / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"model_type": kind, **values}))
    return f"hf:{file}"


@pytest.mark.parametrize("kind", SCORED)
def test_a_tiny_configuration_is_scored(kind: str, tmp_path: Path) -> None:
    name = configuration(tmp_path, kind, SCORED[kind])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = compare_models([name], samples=4, length=16)
    assert not found.failed, found.failed[0].error
    one = found.scored[0]
    assert one.family == kind
    assert 1 < one.score <= one.swap.bound
    assert one.macs is not None
    assert one.macs > 0


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_scored_is_refused_with_the_reason(kind: str, tmp_path: Path) -> None:
    values, reason = REFUSED[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = compare_models([configuration(tmp_path, kind, values)], samples=4, length=16)
    assert not found.scored
    assert reason in str(found.failed[0].error)
    assert len(str(found.failed[0].error).splitlines()) == 1


def test_sound_of_the_user_is_scored(tmp_path: Path) -> None:
    import torch

    waves = torch.sin(torch.arange(3 * 400).reshape(3, 400) * 0.1)
    name = configuration(tmp_path, "wav2vec2", SOUND)
    found = compare_models([name], waves)
    assert not found.failed, found.failed[0].error


def test_trained_weights_of_a_folder(tmp_path: Path) -> None:
    import transformers

    head = transformers.BertForMaskedLM(transformers.BertConfig(**SMALL))
    head.save_pretrained(tmp_path / "bert")
    said: list[str] = []
    options: dict[str, Any] = {"pretrained": True, "samples": 4, "length": 16}
    names = [f"hf:{tmp_path}/bert", f"hf:{tmp_path}/bert/config.json"]
    found = compare_models(names, **options, note=said.append)
    assert found.scored[0].score == found.scored[1].score
    assert "drawn after the seed, as its weights lack them: pooler.dense.bias, pooler" in said[0]
    bare = configuration(tmp_path, "gpt2", SCORED["gpt2"])
    error = str(compare_models([bare], **options).failed[0].error)
    assert error.startswith(f"no trained weights of {bare} are beside it")


def test_a_name_that_is_nowhere_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naslib_swap.models.huggingface._reachable", lambda: False)
    found = compare_models(["hf:somebody/something", "hf:brt"], samples=4)
    assert "run `hf download somebody/something config.json`" in str(found.failed[0].error)
    assert "Do you mean bert" in str(found.failed[1].error)


def test_a_documented_name_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naslib_swap.models.huggingface._reachable", lambda: False)
    said: list[str] = []
    from naslib_swap.models.model import Asked
    from naslib_swap.models.names import models_named

    asked = Asked(note=said.append)
    [model] = models_named(["hf:google/electra-small-discriminator(num_hidden_layers=1)"], asked)
    assert model.family(model.build(0)) == "electra"
    assert "taken is the default ElectraConfig" in said[0]
    [old] = models_named(["hf:bert-base-uncased(num_hidden_layers=1,vocab_size=9)"], asked)
    assert old.family(old.build(0)) == "bert"
