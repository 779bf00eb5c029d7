"""Models of timm and torchvision, by name."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from naslib_swap.errors import BadArgument, BadFile, SwapError
from naslib_swap.models.calls import Call, meant
from naslib_swap.models.model import Asked, Model, Takes
from naslib_swap.models.raised import cause
from naslib_swap.seeding import seeded

_USUAL = (3, 224, 224)


def timm_model(call: Call, asked: Asked) -> Model:
    """Return a model of timm: its images are of the size that its configuration names.

    Where another size is asked for, vision transformers are built for it.
    """
    return Model(
        f"timm:{call.name}",
        partial(_timm, call, asked),
        lambda net: Takes("images", asked.shape or _timm_shape(net)),
        lambda net: type(net).__module__.rpartition(".")[2],
        redrawn=not asked.pretrained,
    )


def torchvision_model(call: Call, asked: Asked) -> Model:
    """Return a classifier of torchvision: its images are of the size it was trained with."""
    return Model(
        f"torchvision:{call.name}",
        partial(_torchvision, call, asked),
        lambda net: Takes("images", asked.shape or _torchvision_shape(call.name)),
        lambda net: type(net).__module__.rpartition(".")[2],
        redrawn=not asked.pretrained,
    )


def installed(package: str, prefix: str) -> ModuleType:
    """Import the package that a prefix needs.

    Raises
    ------
    SwapError
        If it is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == package
        what = f"the package {package}: pip install {package}" if missing else f"{package}, which"
        why = "" if missing else f" cannot be imported: {cause(error)}"
        raise SwapError(f"models named {prefix}:... need {what}{why}") from error


def unknown(name: str, prefix: str, known: Iterable[str]) -> BadArgument:
    """Return the error for a name that a zoo does not have, with the names nearest to it."""
    return BadArgument(f"{prefix} has no model {name!r}.{meant(name, known)}")


def refuse_positional(call: Call, prefix: str) -> None:
    """Raise BadArgument for arguments without names, which models of zoos do not take."""
    if call.positional:
        raise BadArgument(
            f"got {prefix}:{call.name} with arguments without a name, expected names, such as "
            f"'{prefix}:{call.name}(num_classes=10)'."
        )


def _timm(call: Call, asked: Asked, seed: int) -> nn.Module:
    timm = installed("timm", "timm")
    refuse_positional(call, "timm")
    if not timm.is_model(call.name.partition(".")[0]):
        raise unknown(call.name, "timm", timm.list_models())
    options: dict[str, Any] = dict(call.keywords)
    if asked.pretrained:
        options.update(pretrained=True, pretrained_cfg_overlay={"file": _timm_weights(timm, call)})
    sized = [options]
    if asked.shape is not None and "img_size" not in options:
        # Transformers are built for one size of images; others do not take the argument.
        sized.insert(0, {**options, "img_size": asked.shape[-2:]})
    if asked.shape is not None and asked.shape[0] != 3:
        sized = [{"in_chans": asked.shape[0], **some} for some in sized]
    for number, some in enumerate(sized):
        try:
            with seeded(seed):
                net = timm.create_model(call.name, **some)
        except TypeError as error:
            if number + 1 == len(sized) or "img_size" not in str(error):
                raise _unbuilt(f"timm:{call.name}", error) from error
        except Exception as error:  # of many authors
            raise _unbuilt(f"timm:{call.name}", error) from error
        else:
            assert isinstance(net, nn.Module)
            return net
    raise AssertionError("one of them was built, or raised")


def _timm_shape(net: nn.Module) -> tuple[int, ...]:
    config: Any = getattr(net, "pretrained_cfg", None) or {}
    return tuple(config.get("input_size") or _USUAL)


def _timm_weights(timm: ModuleType, call: Call) -> str:
    config = timm.models.get_pretrained_cfg(call.name)
    if config is None or not config.has_weights:
        raise BadArgument(f"timm has no trained weights of {call.name}; leave --pretrained.")
    if config.hf_hub_id:
        hub = installed("huggingface_hub", "timm")
        for file in ("model.safetensors", "pytorch_model.bin"):
            found = hub.try_to_load_from_cache(config.hf_hub_id, file)
            if isinstance(found, str):
                return found
    elif config.url:
        return _downloaded(config.url, call.name)
    raise BadFile(
        f"the trained weights of timm:{call.name} are not on this machine; run `hf download "
        f"{config.hf_hub_id}`, or leave --pretrained."
    )


def _torchvision(call: Call, asked: Asked, seed: int) -> nn.Module:
    torchvision = installed("torchvision", "torchvision")
    refuse_positional(call, "torchvision")
    if call.name not in torchvision.models.list_models(module=torchvision.models):
        raise unknown(call.name, "torchvision", torchvision.models.list_models(torchvision.models))
    options = dict(call.keywords)
    if asked.pretrained:
        weights = torchvision.models.get_model_weights(call.name).DEFAULT
        _downloaded(weights.url, call.name)
        options["weights"] = weights
    elif asked.shape is not None and call.name.startswith("vit_"):
        options.setdefault("image_size", asked.shape[-1])
    try:
        with seeded(seed):
            net = torchvision.models.get_model(call.name, **options)
    except Exception as error:  # of many authors
        raise _unbuilt(f"torchvision:{call.name}", error) from error
    assert isinstance(net, nn.Module)
    return net


def _torchvision_shape(name: str) -> tuple[int, ...]:
    torchvision = installed("torchvision", "torchvision")
    crop = torchvision.models.get_model_weights(name).DEFAULT.transforms().crop_size
    return (3, crop[0], crop[0])


def _downloaded(url: str, name: str) -> str:
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not file.is_file():
        raise BadFile(
            f"the trained weights of {name} are not on this machine; download {url} to {file}, or "
            "leave --pretrained."
        )
    return str(file)


def _unbuilt(name: str, error: Exception) -> BadArgument:
    return BadArgument(f"cannot build {name}: {cause(error)}.")
