"""What a model of transformers takes, by its configuration."""

from __future__ import annotations

from typing import Any

from torch import nn

from naslib_swap.models.model import Asked, Takes

_LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_target_positions")


def takes_by(net: nn.Module, config: Any, asked: Asked | None) -> Takes:
    """Return what a model of transformers takes, by its configuration."""
    main = getattr(net, "main_input_name", "input_ids")
    parts = [n for n in ("text_config", "vision_config", "audio_config") if hasattr(config, n)]
    if len(parts) > 1:
        return Takes(" and ".join(part.partition("_")[0] for part in parts))
    if main == "input_ids":
        text = config.get_text_config() if hasattr(config, "get_text_config") else config
        most = next((n for name in _LENGTHS if (n := getattr(text, name, None))), None)
        length = 128 if asked is None else asked.length
        # RoBERTa and its kin count positions from behind the padding's number.
        length = length if most is None else max(1, min(length, most - 2))
        reserved = (getattr(text, f"{kind}_token_id", None) for kind in ("pad", "eos", "bos"))
        flat = (n for some in reserved for n in (some if isinstance(some, list) else [some]))
        return Takes(
            "tokens",
            (length,),
            getattr(text, "vocab_size", None),
            frozenset(n for n in flat if isinstance(n, int)),
        )
    if main == "pixel_values":
        if getattr(config, "num_frames", None):
            return Takes("video")
        if asked is not None and asked.shape is not None:
            return Takes("images", asked.shape)
        size = getattr(config, "image_size", None) or 224
        pair = (size, size) if isinstance(size, int) else tuple(size)
        return Takes("images", (getattr(config, "num_channels", 3), *pair[-2:]))
    if main in ("input_values", "input_features"):
        return Takes("sound")
    return Takes(str(main))
