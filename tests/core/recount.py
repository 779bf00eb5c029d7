"""A count of patterns that shares nothing with the library: torch's dispatcher and numpy.unique."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

RECTIFIERS = {"relu", "relu_"}
SIGNED = {
    *("leaky_relu", "leaky_relu_", "elu", "elu_", "celu", "celu_", "gelu", "silu", "silu_", "mish"),
    *("mish_", "hardswish", "hardswish_", "_prelu_kernel", "rrelu_with_noise"),
}


class Dispatched(TorchDispatchMode):
    """Keeps the outputs of activations, outside of classes that are kept as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []
        self.inside = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        relu6 = name in ("hardtanh", "hardtanh_") and tuple(args[1:3]) == (0, 6)
        if (name in RECTIFIERS | SIGNED or relu6) and not self.inside:
            self.found.append(output.detach().clone())
        return output


def activations(net: nn.Module, call: Callable[[], Any], spelt: tuple[str, ...]) -> list[Tensor]:
    """What left each activation, in order."""
    mode = Dispatched()

    def enter(*_: Any) -> None:
        mode.inside += 1

    def leave(module: nn.Module, args: Any, output: Tensor) -> None:
        mode.inside -= 1
        mode.found.append(output.detach().clone())

    handles = []
    for module in net.modules():
        if type(module).__name__ in spelt:
            handles.append(module.register_forward_pre_hook(enter))
            handles.append(module.register_forward_hook(leave))
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one kernel for a whole layer
    with torch.no_grad(), mode:
        call()
    torch.backends.mha.set_fastpath_enabled(fused)
    for handle in handles:
        handle.remove()
    return mode.found


def rows(found: list[Tensor], samples: int, axis: int, outer: int, each: str) -> np.ndarray:
    """The matrix of signs, [S, V]."""
    arrays = [np.sign(tensor.double().numpy()) for tensor in found]
    if each == "samples outside":
        calls = len(arrays) // samples
        arrays = [np.stack(arrays[n::calls]) for n in range(calls)]
    elif each == "samples inside":
        arrays = [np.stack(arrays[n : n + samples]) for n in range(0, len(arrays), samples)]
    matrix = []
    for array in arrays:
        shape = array.shape
        split = array.reshape(*shape[:axis], outer, samples, -1, *shape[axis + 1 :])
        matrix.append(np.moveaxis(split, axis + 1, 0).reshape(samples, -1))
    return np.concatenate(matrix, axis=1)


def distinct(matrix: np.ndarray) -> int:
    """|{columns}|."""
    return np.unique(matrix.astype(np.int8), axis=1).shape[1]
