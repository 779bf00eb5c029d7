"""From names to models."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn

from naslib_swap.errors import BadArgument, SwapError
from naslib_swap.models.calls import Call, read_call
from naslib_swap.models.huggingface import huggingface_model
from naslib_swap.models.model import Asked, Model
from naslib_swap.models.own import family_of, models_in, takes_of
from naslib_swap.models.zoos import timm_model, torchvision_model

ZOOS: dict[str, Callable[[Call, Asked], Model]] = {
    "hf": huggingface_model,
    "timm": timm_model,
    "torchvision": torchvision_model,
}


def models_named(names: Iterable[str], asked: Asked) -> list[Model]:
    """Return the models of these names; one that cannot be found fails when it is built.

    Raises
    ------
    BadArgument
        A model that is there twice.
    """
    found = [model for name in names for model in _named(name, asked)]
    twice = {model.name for model in found if sum(m.name == model.name for m in found) > 1}
    if twice:
        raise BadArgument(
            f"a model is there twice, expected each once: {', '.join(sorted(twice))}."
        )
    return found


def _named(name: str, asked: Asked) -> list[Model]:
    try:
        call = read_call(name)
        prefix, colon, rest = call.name.partition(":")
        if colon and prefix in ZOOS:
            bare = Call(rest, call.positional, call.keywords)
            model = ZOOS[prefix](bare, asked)
            return [Model(name, model.build, model.takes, model.family, model.redrawn)]
        return models_in(call, asked)
    except SwapError as error:
        return [_failing(name, error)]


def _failing(name: str, error: SwapError) -> Model:
    def build(seed: int) -> nn.Module:
        raise error

    return Model(name, build, takes_of, family_of)
