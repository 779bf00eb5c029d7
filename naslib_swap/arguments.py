"""The inputs of a network as the arguments of its forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

import torch
from torch import Tensor

from naslib_swap.errors import SwapError
from naslib_swap.seeding import copied

Inputs = Union[Tensor, Sequence[Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Arguments:
    """The inputs as call arguments, on the right device."""

    positional: tuple[Any, ...]
    keywords: Mapping[str, Any]
    samples: int
    device: torch.device

    def call(self, function: Callable[..., Any]) -> Any:
        """Call with copies, so that a network that works in place leaves the inputs alone."""
        positional = [copied(value) for value in self.positional]
        return function(*positional, **{k: copied(v) for k, v in self.keywords.items()})

    @classmethod
    def of(cls, inputs: Inputs, device: torch.device | None) -> Arguments:
        """Place inputs on a device, and check that they agree on the number of samples."""

        def placed(value: Any) -> Any:
            return value.to(device) if isinstance(value, Tensor) and device is not None else value

        positional: tuple[Any, ...] = ()
        keywords: dict[str, Any] = {}
        if isinstance(inputs, Tensor):
            positional = (placed(inputs),)
        elif isinstance(inputs, Mapping):
            keywords = {key: placed(value) for key, value in inputs.items()}
        elif isinstance(inputs, Sequence) and not isinstance(inputs, (str, bytes)):
            positional = tuple(placed(value) for value in inputs)
        else:
            raise SwapError(
                f"got inputs of type {type(inputs).__name__}, expected a tensor [S, ...], a "
                "sequence (positional arguments) or a mapping (keyword arguments)."
            )
        tensors = [v for v in (*positional, *keywords.values()) if isinstance(v, Tensor)]
        batched = next((tensor for tensor in tensors if tensor.dim()), None)
        if batched is None:
            raise SwapError(
                "got inputs without a tensor that has a batch dimension, expected [S, ...] with "
                "S samples along dimension 0."
            )
        sizes = {int(t.shape[0]) for t in tensors if t.dim() and t.shape[0] != 1}
        if len(sizes) > 1:
            raise SwapError(
                f"got inputs of shapes {', '.join(str(tuple(t.shape)) for t in tensors)}, expected "
                "one number of samples along dimension 0 of each (or 1, for what all samples "
                "share). Pass what is no batch by functools.partial or in a wrapper module."
            )
        if batched.numel() == 0:
            raise SwapError(
                f"got an empty minibatch of shape {tuple(batched.shape)}, expected at least 2 "
                "samples."
            )
        for tensor in tensors:
            if tensor.is_floating_point() and bool(torch.isnan(tensor).any()):
                raise SwapError(
                    f"got inputs of shape {tuple(tensor.shape)} with NaN in them, expected numbers."
                )
        return cls(positional, keywords, max(sizes, default=1), batched.device)
