"""What a forward pass costs, found without running it: on torch's meta device, or on two samples.

Only shapes pass through the meta device: the largest network takes a second and no memory.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from naslib_swap.arguments import Arguments, mapped, tensors_in
from naslib_swap.dropout import without_dropout
from naslib_swap.predictors.passes.multiply_accumulates import MultiplyAccumulates
from naslib_swap.restoration import restored, set_mode
from naslib_swap.seeding import seeded
from naslib_swap.traversal import modules_of

SAMPLES = 2
"""Batch normalisation over one value would refuse a single one."""


@dataclass(frozen=True)
class Footprint:
    """What one forward pass takes.

    Attributes
    ----------
    weights
        Bytes of parameters and buffers.
    row
        Bytes of one sample of the inputs.
    most
        Bytes of intermediate values that are there at once, of one sample.
    sum
        Bytes of all intermediate values, of one sample: what a gradient needs.
    macs
        Multiply-accumulates of one sample.
    """

    weights: int
    row: float
    most: float
    sum: float
    macs: float


def weights_of(net: nn.Module) -> int:
    """Return the bytes of the parameters and buffers of a network."""
    tensors = {id(t): t for t in (*net.parameters(), *net.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def footprint(net: nn.Module, inputs: Any, *, seed: int, mode: str) -> Footprint | None:
    """Return what a forward pass takes; None where it fails, which scoring then explains.

    It is followed on the meta device; where a network cannot go there, because it branches on
    values, say, it runs on two samples. One that is there already changes.
    """
    few = mapped(
        inputs, lambda leaf: leaf[:SAMPLES] if isinstance(leaf, Tensor) and leaf.dim() else leaf
    )
    outline = _is_outline(net)
    for on_meta in (True,) if outline else (True, False):
        try:
            with seeded(seed), nullcontext() if outline else restored(net):
                set_mode(net, mode == "train")
                with torch.no_grad(), without_dropout(modules_of(net)):
                    seen = _followed(net, few, on_meta=on_meta)
        except Exception:  # scoring raises it again, and says what to do
            continue
        rows = sum(t.numel() * t.element_size() for t in tensors_in([few]))
        return Footprint(
            weights=weights_of(net),
            row=rows / SAMPLES,
            most=seen.most / SAMPLES,
            sum=seen.sum / SAMPLES,
            macs=seen.count / SAMPLES,
        )
    return None


def _is_outline(net: nn.Module) -> bool:
    """Whether a network has no values, which nobody could restore."""
    return any(tensor.is_meta for tensor in (*net.parameters(), *net.buffers()))


def _followed(net: nn.Module, inputs: Any, *, on_meta: bool) -> Traced:
    def placed(leaf: Any) -> Any:
        return leaf.to("meta") if on_meta and isinstance(leaf, Tensor) else leaf

    given = Arguments.of(inputs)
    positional, keywords = mapped(given.positional, placed), mapped(dict(given.keywords), placed)
    state = {name: placed(t) for name, t in (*net.named_parameters(), *net.named_buffers())}
    seen = Traced([*state.values(), *tensors_in([positional, keywords])])
    with seen, _AsOnACpu(seen) if on_meta else nullcontext():
        if on_meta:
            functional_call(net, state, positional, keywords)
        else:
            net(*positional, **keywords)
    return seen


class Traced(MultiplyAccumulates):
    """Inside, what runs is counted, and the memory that it holds at once is followed.

    Parameters
    ----------
    there
        Tensors that are there already: views of them are no new memory.
    """

    def __init__(self, there: Iterable[Tensor]) -> None:
        super().__init__()
        self.most = self.sum = self._now = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in there}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = super().__torch_dispatch__(func, types, args, kwargs)
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._follow(leaf)
        return out

    def _follow(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        size = storage.nbytes()
        self.sum += size
        self._now += size
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


class _AsOnACpu(TorchFunctionMode):
    """Inside, the meta device does as a CPU.

    Attention is one operation, which the meta device would spell out. Where a network asks whether
    something holds for all, such as that no token is masked, it does.
    """

    def __init__(self, seen: Traced) -> None:
        super().__init__()
        self._seen = seen

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            query, key, value = (
                args[:3] if len(args) > 2 else (kwargs[n] for n in ("query", "key", "value"))
            )
            rows = query.numel() // query.shape[-1]
            self._seen.count += rows * key.shape[-2] * (query.shape[-1] + value.shape[-1])
            return query.new_empty(*query.shape[:-1], value.shape[-1])
        if func in _ALL and len(args) == 1 and not kwargs:
            return torch.ones((), dtype=torch.bool, device="cpu")
        return func(*args, **(kwargs or {}))


_ALL = (torch.all, Tensor.all)
