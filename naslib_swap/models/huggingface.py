"""Models of transformers, by a configuration: local, of a file, or documented."""

from __future__ import annotations

import re
import socket
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from torch import Tensor, nn

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.models.calls import Call
from naslib_swap.models.configured import takes_by
from naslib_swap.models.model import Asked, Model
from naslib_swap.models.raised import cause
from naslib_swap.models.zoos import installed, refuse_positional, unknown
from naslib_swap.quoting import one_line
from naslib_swap.seeding import seeded

_PATIENCE = 3.0
"""Seconds to wait for the hub."""


class SourceAndTarget(nn.Module):
    """An encoder-decoder that reads one text, and writes the same.

    Parameters
    ----------
    model
        Takes ``input_ids`` and ``decoder_input_ids``.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Any:
        """Run it on tokens [S, T]."""
        return self.model(input_ids=ids, decoder_input_ids=ids)


def huggingface_model(call: Call, asked: Asked) -> Model:
    """Return the bare model (without a head) of a configuration.

    The name is a file ``config.json`` or its folder, a repository in the local cache (or on the
    hub, where it can be reached), or a kind of models such as ``bert``, in its default size.
    """
    return Model(
        f"hf:{call.name}",
        partial(_built, call, asked),
        lambda net: takes_by(_model(net), _model(net).config, asked),
        lambda net: str(_model(net).config.model_type),
        redrawn=not asked.pretrained,
    )


def _model(net: nn.Module) -> Any:
    return net.model if isinstance(net, SourceAndTarget) else net


def _built(call: Call, asked: Asked, seed: int) -> nn.Module:
    transformers = installed("transformers", "hf")
    refuse_positional(call, "hf")
    config = _configuration(transformers, call.name, asked)
    wrong = [name for name in call.keywords if not hasattr(config, name)]
    if wrong:
        raise BadArgument(f"hf:{call.name} has no {', '.join(wrong)} in its configuration.")
    for name, value in call.keywords.items():
        setattr(config, name, value)
    if asked.shape is not None and hasattr(config, "image_size"):
        height, width = asked.shape[-2:]
        config.image_size = height if height == width else (height, width)
    if hasattr(config, "use_cache"):
        config.use_cache = False  # of no use in one pass
    try:
        with seeded(seed), _quiet(transformers):
            if asked.pretrained:
                net = _trained(transformers, call.name, config, asked)
            else:
                net = transformers.AutoModel.from_config(config)
    except OSError as error:
        there = "are beside it" if Path(call.name).exists() else "are on this machine"
        raise BadFile(
            f"no trained weights of hf:{call.name} {there}; run `hf download NAME` of their "
            "repository, or leave --pretrained."
        ) from error
    except Exception as error:  # of many authors
        raise BadArgument(f"cannot build hf:{call.name}: {one_line(cause(error), 300)}.") from error
    both = getattr(config, "is_encoder_decoder", False)
    if both and getattr(net, "main_input_name", "") == "input_ids":
        return SourceAndTarget(net)
    assert isinstance(net, nn.Module)
    return net


def _trained(transformers: ModuleType, name: str, config: Any, asked: Asked) -> Any:
    net, loaded = transformers.AutoModel.from_pretrained(
        str(Path(name).parent) if Path(name).is_file() else name,
        config=config,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    missing = sorted(loaded["missing_keys"])
    if missing:
        asked.note(
            f"hf:{name}: drawn after the seed, as its weights lack them: {', '.join(missing[:4])}"
            f"{' and others' if len(missing) > 4 else ''}"
        )
    return net


def _configuration(transformers: ModuleType, name: str, asked: Asked) -> Any:
    auto = transformers.AutoConfig
    if name in transformers.models.auto.configuration_auto.CONFIG_MAPPING_NAMES:
        return auto.for_model(name)
    local = Path(name).exists()
    if name.endswith(".json") and not local:
        raise BadFile(f"there is no configuration {name!r}, expected a config.json.")
    with _quiet(transformers):
        try:
            return auto.from_pretrained(name, local_files_only=True, trust_remote_code=False)
        except Exception as error:
            if local:
                raise BadFile(
                    f"cannot read the configuration {name}: {one_line(error, 200).rstrip('.')}."
                ) from error
        if _reachable():
            try:
                return auto.from_pretrained(name, trust_remote_code=False)
            except Exception as error:
                reason = one_line(error, 200).rstrip(".")
                raise BadFile(f"cannot get the configuration of hf:{name}: {reason}.") from error
        documented = _documented(transformers, name)
    if documented is not None:
        asked.note(
            f"hf:{name} is not on this machine; taken is the default {type(documented).__name__}, "
            "whose documentation calls it similar"
        )
        return documented
    kinds = transformers.models.auto.configuration_auto.CONFIG_MAPPING_NAMES
    if "/" not in name:
        raise unknown(name, "hf", kinds)
    raise BadFile(
        f"hf:{name} is neither on this machine nor can the hub be reached; run `hf download {name} "
        "config.json` where it can, give a config.json, or a kind of models such as hf:bert."
    )


class _quiet:
    """Inside, transformers logs nothing below an error, and shows no progress."""

    def __init__(self, transformers: ModuleType) -> None:
        self._logging = transformers.utils.logging

    def __enter__(self) -> None:
        self._before = self._logging.get_verbosity()
        self._bars = self._logging.is_progress_bar_enabled()
        self._logging.set_verbosity_error()
        self._logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        self._logging.set_verbosity(self._before)
        if self._bars:
            self._logging.enable_progress_bar()


def _documented(transformers: ModuleType, name: str) -> Any:
    """Return the default configuration whose documentation names this repository."""
    words = name.lower().rpartition("/")[2].replace("-", "_")
    kinds = transformers.models.auto.configuration_auto.CONFIG_MAPPING_NAMES
    near = [kind for kind in kinds if words.startswith(kind.replace("-", "_"))]
    for kind in sorted(near, key=len, reverse=True):
        config = transformers.AutoConfig.for_model(kind)
        # Names of the first days have no owner: bert-base-uncased.
        if re.search(rf"\[([\w-]+/)?{re.escape(name)}\]", type(config).__doc__ or ""):
            return config
    return None


def _reachable() -> bool:
    hub = installed("huggingface_hub", "hf")
    if hub.constants.HF_HUB_OFFLINE:
        return False
    address = urlsplit(hub.constants.ENDPOINT)
    try:
        with socket.create_connection((address.hostname, address.port or 443), _PATIENCE):
            return True
    except OSError:
        return False
