"""Which post-activations are recorded, and how.

Calls are intercepted where PyTorch dispatches its Python functions, so ``nn.ReLU``, ``F.relu(x)``,
``torch.relu(x)`` and ``x.relu_()`` are seen alike, in place or not, each time they are called.
Modules that compute an activation from other operations (``NewGELUActivation`` of HuggingFace, or
the user's own) are recorded by their output instead. Calls that scripted functions and operators
of C++ hide are found below, at torch's dispatcher, which is slower.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Optional, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._ops import OpOverload, OpOverloadPacket
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from naslib_swap.leaves import unobserved
from naslib_swap.traversal import modules_of

if TYPE_CHECKING:
    from naslib_swap.movements import Watch


@dataclass(frozen=True)
class Kind:
    """An activation: its name, whether its output can be negative, and whether it is recorded."""

    name: str
    signed: bool = True
    recorded: bool = True


# The kind of a call where it depends on the arguments; None: no activation.
KindOfCall = Callable[..., Optional[Kind]]


def _calls(kind: Kind | KindOfCall, *names: str) -> dict[Any, Kind | KindOfCall]:
    """Map every spelling of a function (torch, functional, method, aten, in place) to its kind."""
    homes = (torch, F, Tensor, torch._C._nn)
    found = [getattr(home, name, None) for home in homes for name in names]
    packets = [getattr(torch.ops.aten, name, None) for name in names]
    for packet in filter(None, packets):
        found += [packet, *(getattr(packet, overload) for overload in packet.overloads())]
    return {function: kind for function in found if function is not None}


_RELU = Kind("relu", signed=False)
_RELU6 = Kind("relu6", signed=False)
_SILU = Kind("silu")
_HARDTANH = Kind("hardtanh", recorded=False)
_COMPARISON = Kind("comparison with 0", recorded=False)


def _hardtanh(
    x: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Kind:
    return _RELU6 if min_val == 0 else _HARDTANH


def _comparison(x: Any, other: Any = None, **_: Any) -> Kind | None:
    """A rectifier spelt out may stand behind ``x > 0``."""
    zero = isinstance(other, (int, float)) and other == 0
    floats = isinstance(x, Tensor) and x.dim() > 1 and x.is_floating_point()
    return _COMPARISON if zero and floats else None


_FUNCTIONS: dict[Any, Kind | KindOfCall] = {
    **_calls(_RELU, "relu", "relu_"),
    **_calls(_RELU6, "relu6", "relu6_"),
    **_calls(Kind("leaky_relu"), "leaky_relu", "leaky_relu_"),
    **_calls(Kind("prelu"), "prelu", "_prelu_kernel"),
    **_calls(Kind("rrelu"), "rrelu", "rrelu_", "rrelu_with_noise", "rrelu_with_noise_"),
    **_calls(Kind("elu"), "elu", "elu_"),
    **_calls(Kind("selu"), "selu", "selu_"),
    **_calls(Kind("celu"), "celu", "celu_"),
    **_calls(Kind("gelu"), "gelu", "gelu_"),
    **_calls(_SILU, "silu", "silu_"),
    **_calls(Kind("mish"), "mish", "mish_"),
    **_calls(Kind("hardswish"), "hardswish", "hardswish_"),
    # Seen, not recorded: gates and squashing functions, whose signs say nothing or little.
    **_calls(Kind("tanh", recorded=False), "tanh", "tanh_"),
    **_calls(Kind("sigmoid", recorded=False), "sigmoid", "sigmoid_"),
    **_calls(Kind("hardsigmoid", recorded=False), "hardsigmoid", "hardsigmoid_"),
    **_calls(_hardtanh, "hardtanh", "hardtanh_"),  # with (0, 6), ReLU6
    **_calls(Kind("logsigmoid", recorded=False), "logsigmoid", "log_sigmoid"),
    **_calls(Kind("softplus", recorded=False), "softplus"),
    **_calls(Kind("softsign", recorded=False), "softsign"),
    **_calls(Kind("hardshrink", recorded=False), "hardshrink"),
    **_calls(Kind("softshrink", recorded=False), "softshrink"),
    **_calls(Kind("threshold", recorded=False), "threshold", "threshold_"),
    **_calls(Kind("glu", recorded=False), "glu"),
    **_calls(Kind("clamp", recorded=False), "clamp", "clamp_", "clamp_min", "clamp_min_"),
    **_calls(Kind("clamp", recorded=False), "clip", "clip_"),
    **_calls(Kind("maximum", recorded=False), "maximum"),
    **_calls(_comparison, "gt", "ge", "lt", "le"),
    # One kernel for all steps; their gates are inside. (That of a ReLU is taken layer by layer.)
    **_calls(Kind("lstm", recorded=False), "lstm", "lstm_cell"),
    **_calls(Kind("gru", recorded=False), "gru", "gru_cell"),
    **_calls(Kind("rnn_tanh", recorded=False), "rnn_tanh", "rnn_tanh_cell"),
    **_calls(_RELU, "rnn_relu_cell"),
}

_PRODUCTS = frozenset({torch.mul, Tensor.mul, Tensor.mul_, Tensor.__mul__, Tensor.__rmul__})
_SUMS = frozenset({torch.add, Tensor.add, Tensor.add_, Tensor.__add__, Tensor.__radd__})
_HARD = "relu6 of x + 3 (a hard swish or its gate; its ReLU6 is counted)"
_SIGMOIDS = frozenset({torch.sigmoid, Tensor.sigmoid, F.sigmoid})


def _named(kind: Kind, *names: str) -> dict[Any, Kind]:
    return dict.fromkeys(names, kind)


# Modules that spell an activation out, of HuggingFace and of much published code, by class name:
# nothing is imported for them.
_MODULES: dict[Any, Kind] = {
    **_named(Kind("gelu"), "GELUActivation", "NewGELUActivation", "FastGELUActivation"),
    **_named(Kind("gelu"), "QuickGELUActivation", "AccurateGELUActivation", "GELUTanh"),
    **_named(Kind("gelu"), "ClippedGELUActivation", "PytorchGELUTanh", "QuickGELU", "NewGELU"),
    **_named(Kind("gelu"), "BloomGelu"),
    **_named(_SILU, "Swish", "SwishMe", "MemoryEfficientSwish"),
    **_named(Kind("hardswish"), "HardSwish", "HardSwishMe", "HSwish", "Hswish", "hswish"),
    **_named(Kind("hardswish"), "h_swish", "H_Swish"),
    **_named(Kind("mish"), "MishActivation", "Mish"),
    "XIELUActivation": Kind("xielu"),
    "ReLUSquaredActivation": Kind("relu_squared", signed=False),
    # Between 0 and 1, or above 0: gates, as sigmoid is.
    **_named(Kind("hardsigmoid", recorded=False), "HardSigmoid", "HSigmoid", "Hsigmoid"),
    **_named(Kind("hardsigmoid", recorded=False), "h_sigmoid", "hsigmoid", "HardSigmoidMe"),
    "LaplaceActivation": Kind("laplace", signed=False, recorded=False),
    "SqrtSoftplusActivation": Kind("sqrt_softplus", signed=False, recorded=False),
}


@dataclass(frozen=True)
class ActivationTable:
    """What counts as an activation.

    Extend a table with :meth:`with_function` and :meth:`with_module`; later entries win.

    Attributes
    ----------
    functions
        Kinds by callable, or a function of the call's arguments that returns the kind (or None).
    modules
        Kinds by module class or its name; such modules are recorded by their output, and nothing
        inside them is.

    Examples
    --------
    >>> table = DEFAULT_ACTIVATIONS.with_function(torch.tanh, Kind("tanh"))
    """

    functions: Mapping[Any, Kind | KindOfCall] = field(default_factory=lambda: dict(_FUNCTIONS))
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
            kind = self.modules.get(cls)
            if kind is None and not cls.__module__.startswith("torch."):  # seen by their functions
                kind = self.modules.get(cls.__name__)
            if kind is not None:
                return kind
        return None


DEFAULT_ACTIVATIONS = ActivationTable()


def _output_kinds(modules: Sequence[nn.Module], table: ActivationTable) -> dict[nn.Module, Kind]:
    """The modules that are recorded by their output."""
    kinds = {cls: table.kind_of_module(cls) for cls in {type(module) for module in modules}}
    return {
        module: kind
        for module in modules
        for kind in [kinds[type(module)]]
        if kind is not None and not _only_named_so(module, kind)
    }


def _only_named_so(module: nn.Module, kind: Kind) -> bool:
    """Whether a name of ours has met a whole network, of layers with parameters."""
    ours = _MODULES.get(type(module).__name__) is kind
    return ours and any(True for child in module.children() for _ in child.parameters())


# Says whether it took the output; in words where they belong in the list of what was recorded.
Consumer = Callable[[Tensor, Kind], Union[bool, str]]
# Calls a function in another way: (function, args, kwargs) -> output.
Rewrite = Callable[[Any, Any, Mapping[str, Any]], Any]


@dataclass
class Calls:
    """How often each kind of activation was called: recorded, and seen without being recorded."""

    recorded: Counter[str] = field(default_factory=Counter)
    unrecorded: Counter[str] = field(default_factory=Counter)


class _Recorder(TorchFunctionMode):
    def __init__(
        self,
        table: ActivationTable,
        consume: Consumer,
        watch: Watch | None,
        rewrites: Mapping[Any, Rewrite],
    ) -> None:
        super().__init__()
        self._functions = table.functions
        self._consume = consume
        self._watch = watch
        self._rewrites = {torch.rnn_relu: self._rnn_relu, **rewrites}
        self._gate: tuple[Any, Any] | None = None  # the last sigmoid's input and output
        self._shifted: Any = None  # the last x + 3
        self.calls = Calls()
        self.inside = 0  # depth of modules that are recorded by their output

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        rewrite = self._rewrites.get(func)
        if rewrite is None:
            output = func(*args, **(kwargs or {}))
        else:
            output = rewrite(func, args, kwargs or {})
        self.note(func, args, kwargs or {}, output)
        return output

    def note(self, func: Any, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        """Take note of a call."""
        if self._watch is not None:
            self._watch.note(func, args, kwargs, output)
        if self.inside:
            return
        kind = self._functions.get(func)
        if kind is not None:
            found = kind if isinstance(kind, Kind) else kind(*args, **kwargs)
            if found is not None:
                self.see(output, found)
            if found is _RELU6 and self._shifted is not None and args:
                if self._shifted() is args[0]:
                    self.calls.unrecorded[_HARD] += 1
                self._shifted = None
            if func in _SIGMOIDS:
                self._gate = (weakref.ref(args[0]), weakref.ref(output)) if args else None
        elif self._gate is not None and func in _PRODUCTS:
            self._see_product(args, output)
        elif func in _SUMS:
            shifted = any(type(arg) in (int, float) and arg == 3 for arg in args)
            if shifted and isinstance(output, Tensor):
                self._shifted = weakref.ref(output)
        elif type(func) is OpOverload or type(func) is OpOverloadPacket:
            self._see_operator(func)

    def see(self, output: Any, kind: Kind) -> None:
        if not kind.recorded:
            self.calls.unrecorded[kind.name] += 1
            return
        taken = self._consume(output, kind)
        if not taken:
            self.calls.unrecorded[f"{kind.name} (not one row a sample)"] += 1
        elif isinstance(taken, str):
            self.calls.recorded[f"{kind.name} ({taken})"] += 1
        else:
            self.calls.recorded[kind.name] += 1

    def _see_product(self, args: Any, output: Any) -> None:
        """``x * sigmoid(x)`` is SiLU."""
        assert self._gate is not None
        x, gate = (reference() for reference in self._gate)
        pair = {id(arg) for arg in args}
        if x is None or gate is None or pair != {id(x), id(gate)}:
            return
        self._gate = None
        kind = self._functions.get(torch.sigmoid)
        if isinstance(kind, Kind) and not kind.recorded:  # else it is the sigmoid that counts
            self.calls.unrecorded -= Counter([kind.name])
            self.see(output, _SILU)

    def _see_operator(self, func: Any) -> None:
        namespace, _, name = str(func).partition(".")
        if namespace not in ("aten", "prims", "prim"):
            name = name.replace(".default", "")
            self.calls.unrecorded[f"{namespace}.{name} (an operator, not looked into)"] += 1

    def _rnn_relu(self, func: Any, args: Any, kwargs: Any) -> Any:
        """A layer at a time, so that each one's states are seen."""
        if len(args) != 9 or not isinstance(args[2], (list, tuple)):
            self.calls.unrecorded["rnn_relu (packed sequence)"] += 1
            return func(*args, **kwargs)
        x, states, weights, biases, layers, dropout, train, both_ways, batch_first = args
        directions = 2 if both_ways else 1
        each = len(weights) // layers
        last = []
        for layer in range(layers):
            state = states[layer * directions : (layer + 1) * directions]
            part = weights[layer * each : (layer + 1) * each]
            x, state = func(x, state, part, biases, 1, 0.0, train, both_ways, batch_first)
            if not self.inside:
                self.see(x, _RELU)
            if layer + 1 < layers and train and dropout and F.dropout not in self._rewrites:
                x = F.dropout(x, dropout)
            last.append(state)
        return x, torch.cat(last)


class _PassThrough(TorchDispatchMode):
    """Calls every operator from Python, where a function mode sees it too.

    What the recorder has seen as a function does not come back: it is switched off inside its own
    calls. So what comes is what scripted functions and the like call.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # torch's own answer imports its compiler: a second and 70 MB

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


@contextmanager
def recording(
    net: nn.Module | Sequence[nn.Module],
    consume: Consumer,
    table: ActivationTable = DEFAULT_ACTIVATIONS,
    *,
    watch: Watch | None = None,
    rewrites: Mapping[Any, Rewrite] | None = None,
    hidden: bool = False,
    lightly: bool = False,
) -> Iterator[Calls]:
    """Hand every post-activation of the forward passes inside to ``consume(output, kind)``.

    Hooks are removed however the block ends. Fused attention paths, which would hide their
    activations, are switched off meanwhile.

    Parameters
    ----------
    net
        The network, or all of its modules; only those that are recorded by their output are
        touched, by hooks.
    consume
        Called at once, before anything can change the output in place; returns whether it took
        the output.
    table
        What counts as an activation.
    watch
        Told of every call.
    rewrites
        Functions that are to be called in another way (without dropout, say).
    hidden
        Look below Python as well: at activations inside scripted functions.
    lightly
        Nobody asks for the calls of torch's own leaf modules: they need not be intercepted.
    """
    recorder = _Recorder(table, consume, watch, rewrites or {})
    handles = []
    modules = modules_of(net) if isinstance(net, nn.Module) else net
    kinds = _output_kinds(modules, table)

    def enter(module: nn.Module, args: Any) -> None:
        recorder.inside += 1

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        recorder.inside -= 1
        if not recorder.inside:
            with torch._C.DisableTorchFunction():  # counting calls torch, the network does not
                recorder.see(output, kinds[module])

    # Before torch 2.3 there is no such switch; the mode itself keeps the fused paths off there.
    fused_paths = getattr(torch.backends, "mha", None)
    fused = fused_paths is not None and fused_paths.get_fastpath_enabled()
    try:
        for module in kinds:
            handles.append(module.register_forward_pre_hook(enter))
            handles.append(module.register_forward_hook(leave))
        if fused_paths is not None:
            fused_paths.set_fastpath_enabled(False)
        with ExitStack() as modes:
            modes.enter_context(recorder)
            if lightly:
                modes.enter_context(unobserved(modules, recorder.note))
            if hidden:
                modes.enter_context(_PassThrough())
            yield recorder.calls
    finally:
        if fused_paths is not None:
            fused_paths.set_fastpath_enabled(fused)
        for handle in handles:
            handle.remove()
