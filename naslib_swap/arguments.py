"""The inputs of a network as the arguments of its forward pass."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap.errors import BadArgument, Unscorable

Inputs = Union[Tensor, Sequence[Any], Mapping[str, Any]]
Network = Union[nn.Module, "functools.partial[Any]"]

# Channels of an image: a list of tensors [C, H, W] holds samples, not one tensor a list.
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Arguments:
    """Inputs as call arguments, on the right device.

    Attributes
    ----------
    positional, keywords
        What the forward pass is called with.
    samples
        S, the number of samples in them.
    device
        Where the first batched tensor is.
    """

    positional: tuple[Any, ...]
    keywords: Mapping[str, Any]
    samples: int
    device: torch.device

    def call(self, function: Callable[..., Any]) -> Any:
        """Call with copies, so that a network that works in place leaves the inputs alone."""
        return function(*copied(self.positional), **copied(dict(self.keywords)))

    @classmethod
    def of(
        cls,
        inputs: Inputs,
        device: torch.device | None = None,
        bound: functools.partial[Any] | None = None,
    ) -> Arguments:
        """Place inputs on a device, and find the number of samples in them.

        Parameters
        ----------
        inputs
            A tensor [S, ...], a sequence (positional arguments) or a mapping (keyword arguments).
            An argument may itself be a dict, list or tuple of tensors, nested as you like. A list
            of tensors or dicts, as detectors take it, has one item per sample, unless its tensors
            are batched themselves: see Notes.
        device
            Where to place all tensors; by default they stay where they are.
        bound
            Arguments that are no batch, as ``functools.partial(net, ...)`` holds them.

        Raises
        ------
        SwapError
            If there is no batched tensor; tensors disagree on the number of samples; NaN; numpy
            arrays; another type of inputs.

        Notes
        -----
        Tensors have S, or 1 for what all samples share, along dimension 0. A list or tuple of
        tensors that agree along dimension 0 is taken for S rows each, other lists for one item per
        sample; so are lists of images [C, H, W] with 1, 3 or 4 channels.
        """
        positional, keywords = _as_arguments(inputs)
        given = [*positional, *keywords.values()]
        _refuse_arrays(given)
        tensors = list(tensors_in(given))
        lengths = [length for value in given for length in _lengths(value)]
        sizes = {length for length, _ in lengths if length != 1}
        if not lengths:
            raise Unscorable(
                "got inputs without a tensor that has a batch dimension, expected [S, ...] with "
                "S samples along dimension 0. For an object of another kind (a graph, say), pass a "
                "module that takes the tensor with one row per sample and builds the object."
            )
        if len(sizes) > 1:
            shapes = ", ".join(text for _, text in lengths)
            raise Unscorable(
                f"got inputs of shapes {shapes}, expected one number of samples along dimension 0 "
                "of each (or 1, for what all samples share). Pass what is no batch by "
                "swap_score(functools.partial(net, name=value), inputs)."
            )
        for tensor in tensors:
            if tensor.numel() == 0 and (0 in sizes or tensor is tensors[0]):
                raise Unscorable(
                    f"got an empty minibatch of shape {tuple(tensor.shape)}, expected at least 2 "
                    "samples."
                )
            if tensor.is_floating_point() and bool(torch.isnan(tensor).any()):
                raise Unscorable(
                    f"got inputs of shape {tuple(tensor.shape)} with NaN in them, expected numbers."
                )
        if bound is not None:
            positional = (*bound.args, *positional)
            keywords = {**bound.keywords, **keywords}
        batched = next(tensor for tensor in tensors if tensor.dim())
        return cls(
            mapped(positional, lambda leaf: _placed(leaf, device)),
            mapped(keywords, lambda leaf: _placed(leaf, device)),
            max(sizes, default=1),
            batched.device if device is None else device,
        )


def module_of(net: Network) -> tuple[nn.Module, functools.partial[Any] | None]:
    """Return a network, and the arguments bound to it where it is a ``functools.partial``.

    Raises
    ------
    BadArgument
        If it is neither a module nor a partial of one.
    """
    # A partial of a partial is one partial.
    bound = net if isinstance(net, functools.partial) else None
    module = net if bound is None else bound.func
    if not isinstance(module, nn.Module):
        given = getattr(module, "__name__", type(module).__name__)
        of = "" if bound is None else "a functools.partial of "
        raise BadArgument(
            f"got {of}{given}, expected a torch.nn.Module or a functools.partial of one. Wrap "
            "other functions in a module that calls them in its forward pass."
        )
    return module, bound


def copied(value: Any) -> Any:
    """Return a copy of all tensors in a value, for a network that may work in place.

    Objects with ``clone`` and ``to``, such as graphs, are cloned; anything else stays as it is.
    """
    return mapped(value, lambda leaf: leaf.clone() if _is_placeable(leaf) else leaf)


def mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    """Return nested mappings, lists and tuples with a function applied to each leaf."""
    if isinstance(value, MutableMapping):
        found = copy.copy(value)
        for key, item in value.items():
            found[key] = mapped(item, function)
        return found
    if isinstance(value, Mapping):
        return {key: mapped(item, function) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(item, function) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(item, function) for item in value)
    return function(value)


def _as_arguments(inputs: Inputs) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(inputs, Tensor):
        return (inputs,), {}
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    if isinstance(inputs, Sequence) and not isinstance(inputs, (str, bytes)):
        return tuple(inputs), {}
    _refuse_arrays(inputs)
    raise BadArgument(
        f"got inputs of type {type(inputs).__name__}, expected a tensor [S, ...], a "
        "sequence (positional arguments) or a mapping (keyword arguments)."
    )


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested mappings, lists and tuples."""
    return (leaf for leaf in _leaves(value) if isinstance(leaf, Tensor))


def _refuse_arrays(value: Any) -> None:
    for leaf in _leaves(value):
        if isinstance(leaf, np.ndarray):
            raise BadArgument(
                f"got a numpy array of shape {leaf.shape}, expected a tensor. Pass "
                "torch.from_numpy(array).float(), or .long() for token numbers."
            )


def _lengths(value: Any) -> Iterator[tuple[int, str]]:
    """The number of samples that each batched part of an argument shows, and how to name it."""
    if isinstance(value, Tensor):
        if value.dim():
            yield int(value.shape[0]), str(tuple(value.shape))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _lengths(item)
    elif isinstance(value, (list, tuple)) and any(True for _ in tensors_in(value)):
        if _holds_samples(value):
            yield len(value), f"a {type(value).__name__} of {len(value)}"
        else:
            for item in value:
                yield from _lengths(item)


def _holds_samples(items: Sequence[Any]) -> bool:
    """Whether a list has one item per sample, not one batched tensor per item."""
    if all(isinstance(item, Mapping) for item in items):
        return True
    if not all(isinstance(item, Tensor) and item.dim() for item in items):
        return False
    first = {int(item.shape[0]) for item in items}
    images = all(item.dim() == 3 and item.shape[0] in _CHANNELS for item in items)
    return images or len(first - {1}) > 1


def _is_placeable(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) or (
        callable(getattr(leaf, "clone", None)) and callable(getattr(leaf, "to", None))
    )


def _placed(leaf: Any, device: torch.device | None) -> Any:
    return leaf.to(device) if device is not None and _is_placeable(leaf) else leaf
