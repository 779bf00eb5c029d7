"""Switching dropout off in a network that is otherwise in train mode.

Batch statistics and dropout are two choices: the first changes what every sample's signs are
compared with, the second adds random patterns that no input made.

Switched off are `F.dropout` and its kin wherever they are called, the dropout of attention
(``dropout_p``) and of recurrent layers, RReLU's random slopes (its slope is their mean instead),
modules named DropPath, StochasticDepth, DropBlock, DropConnect, PatchDropout or the like, and
``layerdrop``. Dropout that is written by hand from `torch.rand` stays; it is seeded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from naslib_swap.activations import Rewrite

_RANDOM_DEPTH = re.compile(r"drop_?(out|path|block|connect)|stochastic_?depth|shake_?drop", re.I)


@contextmanager
def without_dropout(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Switch off, in the modules of a network in train mode, what is a module or an attribute.

    Functions are for :data:`WITHOUT_DROPOUT`.
    """
    kept = [
        (holder, name, getattr(holder, name))
        for module in _suspects(modules)
        for holder, name in _switches(module)
    ]
    try:
        for holder, name, value in kept:
            setattr(holder, name, type(value)(0))
        yield
    finally:
        for holder, name, value in reversed(kept):
            setattr(holder, name, value)


def _suspects(modules: Sequence[nn.Module]) -> Iterator[nn.Module]:
    """The modules whose class or attributes can have a switch: a look at each takes longer."""
    classes = {
        cls
        for cls in {type(module) for module in modules}
        if issubclass(cls, nn.RNNBase)
        or _RANDOM_DEPTH.search(cls.__name__)
        or hasattr(cls, "layerdrop")
        or hasattr(cls, "config")
        # Attributes that only such a module knows of.
        or cls.__getattr__ is not nn.Module.__getattr__
    }
    for module in modules:
        own = module.__dict__
        if type(module) in classes or "layerdrop" in own or "config" in own:
            yield module


def _switches(module: nn.Module) -> Iterator[tuple[Any, str]]:
    """What to set to 0 (or False): (holder, attribute)."""
    cls = type(module)
    if module.training and isinstance(module, nn.RNNBase) and module.dropout:
        yield module, "dropout"
    if module.training and _RANDOM_DEPTH.search(cls.__name__):
        yield module, "training"
    for holder in (module, getattr(module, "config", None)):
        if isinstance(getattr(holder, "layerdrop", None), float):
            yield holder, "layerdrop"


def _with(name: str, value: Any, place: int) -> Rewrite:
    """Call a function with one argument set; ``place`` is where it stands among the positional."""

    def call(func: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Any:
        if len(args) > place:
            return func(*args[:place], value, *args[place + 1 :], **kwargs)
        return func(*args, **{**kwargs, name: value})

    return call


def _functions(home: Any, *names: str) -> list[Any]:
    return [getattr(home, name) for name in names if hasattr(home, name)]


_DROPOUTS = ("dropout", "alpha_dropout", "feature_alpha_dropout")

# What to call in place of each function, for :func:`naslib_swap.activations.recording`.
WITHOUT_DROPOUT: dict[Any, Rewrite] = {
    **dict.fromkeys(  # (input, p, train)
        _functions(torch, *_DROPOUTS, *(f"{name}_" for name in _DROPOUTS))
        + _functions(torch, "feature_dropout", "feature_dropout_", "native_dropout"),
        _with("train", False, 2),
    ),
    **dict.fromkeys(  # (input, p, training, inplace)
        _functions(F, *_DROPOUTS, "dropout1d", "dropout2d", "dropout3d"),
        _with("training", False, 2),
    ),
    **dict.fromkeys(  # (input, lower, upper, training, ...)
        _functions(F, "rrelu", "rrelu_") + _functions(torch, "rrelu", "rrelu_"),
        _with("training", False, 3),
    ),
    F.multi_head_attention_forward: _with("training", False, 13),
    F.scaled_dot_product_attention: _with("dropout_p", 0.0, 4),
}
