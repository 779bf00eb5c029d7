"""A forward pass without the work that shows no activation.

Every call of a function of torch is intercepted while activations are recorded, which takes longer
than a small one itself. Most calls come from leaf modules that are known to hold no activation, or
to be one; those run without interception. And batch normalisation need not keep running statistics
in a pass whose network is restored afterwards: in train mode no output depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Leaf modules without an activation, and how many dimensions their input has, at least, where
# samples come first in it and stay first. A class itself, not those derived from it.
LEAVES: dict[type[nn.Module], int] = {
    **{nn.Linear: 2, nn.LayerNorm: 2},
    **{nn.Conv1d: 3, nn.Conv2d: 4, nn.Conv3d: 5},
    **{nn.BatchNorm1d: 2, nn.BatchNorm2d: 4, nn.BatchNorm3d: 5},
    **{nn.AvgPool1d: 3, nn.AvgPool2d: 4, nn.AvgPool3d: 5},
    **{nn.MaxPool1d: 3, nn.MaxPool2d: 4, nn.MaxPool3d: 5},
    **{nn.AdaptiveAvgPool1d: 3, nn.AdaptiveAvgPool2d: 4, nn.AdaptiveAvgPool3d: 5},
}
# Leaf modules that call one function of their input, and are an activation.
ACTIVATIONS: dict[type[nn.Module], Any] = {nn.ReLU: F.relu, nn.GELU: F.gelu, nn.SiLU: F.silu}
# Told of a call: (function, args, kwargs, output).
Note = Callable[[Any, Any, Mapping[str, Any], Any], None]
_TRACKING = frozenset({nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d})
_PLAIN = frozenset({type(None), Tensor, nn.Parameter})


@contextmanager
def unobserved(modules: Iterable[nn.Module], note: Note) -> Iterator[None]:
    """Run leaf modules without interception; `note` is told of those that are activations.

    Calls that may move samples (of an image without a batch dimension, say), and of tensors that
    have functions of their own, are intercepted all the same.
    """

    def call_and_note(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        forward = type(module).forward
        if len(args) == 1 and type(args[0]) is Tensor and not kwargs:
            with torch._C.DisableTorchFunction():
                output = forward(module, args[0])
                note(ACTIVATIONS[type(module)], args, {}, output)
                return output
        return forward(module, *args, **kwargs)

    closed = []
    try:
        for module in modules:
            attributes, cls = module.__dict__, type(module)
            if "forward" in attributes:
                continue
            # Methods, not closures: a copy of the module then calls its own.
            if cls in ACTIVATIONS:
                attributes["forward"] = MethodType(call_and_note, module)
            elif cls in LEAVES and _PLAIN.issuperset(map(type, module._parameters.values())):
                attributes["forward"] = MethodType(_call, module)
            else:
                continue
            closed.append(attributes)
        yield
    finally:
        for attributes in closed:
            attributes.pop("forward", None)


def _call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    forward = type(module).forward
    if len(args) == 1 and type(args[0]) is Tensor and not kwargs:
        with torch._C.DisableTorchFunction():
            if args[0].dim() >= LEAVES[type(module)]:
                return forward(module, args[0])
    return forward(module, *args, **kwargs)


@contextmanager
def untracked(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Let batch normalisation in train mode leave its running statistics alone."""
    tracking = [
        module.__dict__
        for module in modules
        if type(module) in _TRACKING and module.training and module.track_running_stats
    ]
    try:
        for attributes in tracking:
            attributes["track_running_stats"] = False
        yield
    finally:
        for attributes in tracking:
            attributes["track_running_stats"] = True
