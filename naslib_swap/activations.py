"""Which post-activations are recorded, and how.

Calls are intercepted where PyTorch dispatches its Python functions, so ``nn.ReLU``, ``F.relu(x)``,
``torch.relu(x)`` and ``x.relu_()`` are seen alike, in place or not, each time they are called.
Modules that compute an activation from other operations (``NewGELUActivation`` of HuggingFace, or
the user's own) are recorded by their output instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class Kind:
    """An activation: its name, whether its output can be negative, and whether it is recorded."""

    name: str
    signed: bool = True
    recorded: bool = True


def _calls(kind: Kind, *names: str) -> dict[Any, Kind]:
    """Map every spelling of a function (torch, functional, method, in place) to its kind."""
    homes = (torch, F, Tensor, torch._C._nn)
    found = (getattr(home, name, None) for home in homes for name in names)
    return {function: kind for function in found if function is not None}


_RELU = Kind("relu", signed=False)
_RELU6 = Kind("relu6", signed=False)

_FUNCTIONS: dict[Any, Kind] = {
    **_calls(_RELU, "relu", "relu_"),
    **_calls(_RELU6, "relu6", "relu6_"),
    **_calls(Kind("leaky_relu"), "leaky_relu", "leaky_relu_"),
    **_calls(Kind("prelu"), "prelu"),
    **_calls(Kind("rrelu"), "rrelu", "rrelu_"),
    **_calls(Kind("elu"), "elu", "elu_"),
    **_calls(Kind("selu"), "selu", "selu_"),
    **_calls(Kind("celu"), "celu", "celu_"),
    **_calls(Kind("gelu"), "gelu", "gelu_"),
    **_calls(Kind("silu"), "silu", "silu_"),
    **_calls(Kind("mish"), "mish", "mish_"),
    **_calls(Kind("hardswish"), "hardswish", "hardswish_"),
    # Seen, not recorded: gates and squashing functions, whose signs say nothing or little.
    **_calls(Kind("tanh", recorded=False), "tanh", "tanh_"),
    **_calls(Kind("sigmoid", recorded=False), "sigmoid", "sigmoid_"),
    **_calls(Kind("hardsigmoid", recorded=False), "hardsigmoid", "hardsigmoid_"),
    **_calls(Kind("hardtanh", recorded=False), "hardtanh", "hardtanh_"),
    **_calls(Kind("logsigmoid", recorded=False), "logsigmoid", "log_sigmoid"),
    **_calls(Kind("softplus", recorded=False), "softplus"),
    **_calls(Kind("softsign", recorded=False), "softsign"),
    **_calls(Kind("hardshrink", recorded=False), "hardshrink"),
    **_calls(Kind("softshrink", recorded=False), "softshrink"),
    **_calls(Kind("threshold", recorded=False), "threshold", "threshold_"),
    **_calls(Kind("glu", recorded=False), "glu"),
    **_calls(Kind("clamp", recorded=False), "clamp", "clamp_", "clamp_min", "clamp_min_", "clip"),
}

# HuggingFace modules that spell an activation out, by class name: nothing is imported for them.
_MODULES: dict[Any, Kind] = {
    nn.ReLU6: _RELU6,  # computed by hardtanh(0, 6)
    "NewGELUActivation": Kind("gelu"),
    "FastGELUActivation": Kind("gelu"),
    "QuickGELUActivation": Kind("gelu"),
    "AccurateGELUActivation": Kind("gelu"),
    "ClippedGELUActivation": Kind("gelu"),
    # Between 0 and 1, as sigmoid is.
    "LaplaceActivation": Kind("laplace", signed=False, recorded=False),
    "ReLUSquaredActivation": Kind("relu_squared", signed=False),
}


@dataclass(frozen=True)
class ActivationTable:
    """What counts as an activation.

    ``functions`` maps callables to kinds, ``modules`` maps module classes or their names. Extend a
    table with :meth:`with_function` and :meth:`with_module`; later entries win.

    >>> table = DEFAULT_ACTIVATIONS.with_function(torch.tanh, Kind("tanh"))
    """

    functions: Mapping[Any, Kind] = field(default_factory=lambda: dict(_FUNCTIONS))
    modules: Mapping[Any, Kind] = field(default_factory=lambda: dict(_MODULES))

    def with_function(self, function: Callable[..., Any], kind: Kind) -> ActivationTable:
        """Return a table in which calls of ``function`` are of this kind."""
        return replace(self, functions={**self.functions, function: kind})

    def with_module(self, module: type[nn.Module] | str, kind: Kind) -> ActivationTable:
        """Return a table in which outputs of this module class are of this kind."""
        return replace(self, modules={**self.modules, module: kind})

    def kind_of_module(self, module_class: type[nn.Module]) -> Kind | None:
        """Return the kind of a class of modules that are recorded by their output, or None."""
        for cls in module_class.__mro__:
            kind = self.modules.get(cls) or self.modules.get(cls.__name__)
            if kind is not None:
                return kind
        return None


DEFAULT_ACTIVATIONS = ActivationTable()

Consumer = Callable[[Tensor, Kind], bool]


@dataclass
class Calls:
    """How often each kind of activation was called: recorded, and seen without being recorded."""

    recorded: Counter[str] = field(default_factory=Counter)
    unrecorded: Counter[str] = field(default_factory=Counter)


class _Recorder(TorchFunctionMode):
    def __init__(self, table: ActivationTable, consume: Consumer) -> None:
        super().__init__()
        self._functions = table.functions
        self._consume = consume
        self.calls = Calls()
        self.inside = 0  # depth of modules that are recorded by their output

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        kind = self._functions.get(func)
        if kind is not None and not self.inside:
            self.see(output, kind)
        return output

    def see(self, output: Any, kind: Kind) -> None:
        if not kind.recorded:
            self.calls.unrecorded[kind.name] += 1
        elif self._consume(output, kind):
            self.calls.recorded[kind.name] += 1
        else:
            self.calls.unrecorded[f"{kind.name} (not one row a sample)"] += 1


@contextmanager
def recording(
    net: nn.Module, consume: Consumer, table: ActivationTable = DEFAULT_ACTIVATIONS
) -> Iterator[Calls]:
    """Hand every post-activation of the forward passes inside to ``consume(output, kind)``.

    ``consume`` is called at once, before anything can change the output in place; it returns
    whether it took the output. Hooks are removed however the block ends. Fused attention paths,
    which would hide their activations, are switched off meanwhile.
    """
    recorder = _Recorder(table, consume)
    handles = []
    modules = list(net.modules())
    found = {cls: table.kind_of_module(cls) for cls in {type(module) for module in modules}}
    kinds = {cls: kind for cls, kind in found.items() if kind is not None}

    def enter(module: nn.Module, args: Any) -> None:
        recorder.inside += 1

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        recorder.inside -= 1
        if not recorder.inside:
            recorder.see(output, kinds[type(module)])

    # Before torch 2.3 there is no such switch; the mode itself keeps the fused paths off there.
    fused_paths = getattr(torch.backends, "mha", None)
    fused = fused_paths is not None and fused_paths.get_fastpath_enabled()
    try:
        for module in modules:
            if type(module) in kinds:
                handles.append(module.register_forward_pre_hook(enter))
                handles.append(module.register_forward_hook(leave))
        if fused_paths is not None:
            fused_paths.set_fastpath_enabled(False)
        with recorder:
            yield recorder.calls
    finally:
        if fused_paths is not None:
            fused_paths.set_fastpath_enabled(fused)
        for handle in handles:
            handle.remove()
