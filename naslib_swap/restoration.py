"""A network that comes back as it was, whatever its forward pass did to it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Callable

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap.errors import SwapError

# What a module registers; a change in one of these says that a module rebuilds itself.
_REGISTRIES = ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks")


@contextmanager
def restored(net: nn.Module) -> Iterator[None]:
    """Restore a network on leaving, also where something raised.

    Parameters
    ----------
    net
        Any module whose tensors have values (:func:`require_values`). Inside, it may be run, put
        into another mode (:func:`set_mode`), moved to another device and given other weights.

    Raises
    ------
    SwapError
        On leaving, where a module's own ``train()`` fails. All else is restored even then.

    Notes
    -----
    These come back: modes; parameters, buffers and submodules, whether edited, resized, replaced,
    added or removed; their values bit for bit, their ``grad``, ``requires_grad`` and device; and
    random generators that modules hold as attributes. Tensors keep their identity and their
    memory, so what shares memory goes on sharing it, and a graph that the caller holds stays valid
    where the pass edits nothing.

    Modules with a ``train()`` of their own (merged adapters, cached weights) return to their mode
    through it. Other attributes that a forward pass sets stay set, except in modules that add or
    remove parameters, buffers or submodules: these come back whole.

    The cost is one copy of the parameters and buffers, and one comparison.

    Examples
    --------
    >>> net = nn.BatchNorm1d(2).eval()
    >>> with restored(net):
    ...     _ = net.train()(torch.ones(3, 2))
    >>> net.training, int(net.num_batches_tracked)
    (False, 0)
    """
    modules = list(net.modules())
    own = [(module, module.training) for module in modules if _has_own_train(module)]
    give_back_structure = _kept_structure(modules)
    give_back_tensors = _kept_tensors(net)
    give_back_generators = _kept_generators(modules)
    try:
        yield
    finally:
        with ExitStack() as last_first:  # all of them run, whatever one of them raises
            last_first.callback(give_back_generators)
            if own:  # train() may have edited weights again
                last_first.callback(give_back_tensors)
                last_first.callback(give_back_structure, modes=True)
            for module, training in reversed(own):
                last_first.callback(_return_to_mode, module, training)
            last_first.callback(give_back_tensors)
            last_first.callback(give_back_structure, modes=not own)


def set_mode(net: nn.Module, train: bool) -> None:
    """Put a network into train or eval mode, by its own ``train()``."""
    # Not where nothing would change: on a network of many modules this costs as much as counting.
    if any(module.training != train for module in net.modules()):
        net.train(train)


def require_values(net: nn.Module) -> None:
    """Refuse a network whose tensors have no values yet.

    Raises
    ------
    SwapError
        If it holds lazy modules that were never run, or tensors on the meta device.
    """
    for name, tensor in (*net.named_parameters(), *net.named_buffers()):
        if nn.parameter.is_lazy(tensor):
            raise SwapError(
                f"got a {type(net).__name__} whose {name!r} is lazy, expected weights that have a "
                "shape. Run the network once on a minibatch, then score it."
            )
        if tensor.is_meta:
            raise SwapError(
                f"got a {type(net).__name__} whose {name!r} is on the meta device, expected "
                "weights that have values. Build it without torch.device('meta'), or give it "
                "values by net.to_empty(device='cpu') and an initialisation."
            )


def _has_own_train(module: nn.Module) -> bool:
    return type(module).train is not nn.Module.train or "train" in module.__dict__


def _return_to_mode(module: nn.Module, training: bool) -> None:
    if module.training == training:
        return
    try:
        module.train(training)
    except Exception as error:
        raise SwapError(
            f"{type(module).__name__}.train({training}) raised {type(error).__name__}: {error}. "
            "The network is as it was, except for what that call had begun."
        ) from error


def _kept_structure(modules: list[nn.Module]) -> Callable[..., None]:
    kept = [
        (m, dict(m.__dict__), [dict(m.__dict__[name]) for name in _REGISTRIES]) for m in modules
    ]

    def give_back(*, modes: bool) -> None:
        for module, attributes, registries in kept:
            now = module.__dict__
            if any(not _same(now[name], r) for name, r in zip(_REGISTRIES, registries)):
                now.clear()
                now.update(attributes)
                for name, registry in zip(_REGISTRIES, registries):
                    now[name].clear()
                    now[name].update(registry)
            if modes:
                now["training"] = attributes["training"]

    return give_back


def _same(now: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether the same objects stand under the same names."""
    return len(now) == len(before) and all(now.get(k, now) is v for k, v in before.items())


def _kept_tensors(net: nn.Module) -> Callable[[], None]:
    parameters, buffers = list(net.parameters()), list(net.buffers())
    # Gradients are not edited by a forward pass, but they move with their parameters.
    grads = [p.grad for p in parameters if p.grad is not None]
    places = [_kept_place(tensor) for tensor in (*parameters, *buffers, *grads)]
    owners = [(p, p.requires_grad, p.grad) for p in parameters]
    # Apart, since buffers often change, and then all of their group are written.
    values = [*_kept_values(parameters), *_kept_values(buffers)]

    def give_back() -> None:
        for give_back_one in (*places, *values):
            give_back_one()
        for parameter, requires_grad, grad in owners:
            if parameter.requires_grad != requires_grad:
                parameter.requires_grad_(requires_grad)
            if parameter.grad is not grad:
                parameter.grad = grad

    return give_back


def _kept_place(tensor: Tensor) -> Callable[[], None]:
    """Where a tensor's values lie, and as what shape."""
    if not _has_memory(tensor):
        return lambda: None
    storage, size = tensor.untyped_storage(), tensor.untyped_storage().nbytes()
    shape, stride, offset = tensor.shape, tensor.stride(), tensor.storage_offset()
    dtype = tensor.dtype

    def give_back() -> None:
        if storage.nbytes() != size:
            storage.resize_(size)
        same_memory = tensor.untyped_storage()._cdata == storage._cdata
        if not same_memory or (tensor.shape, tensor.stride(), tensor.dtype) != (
            shape,
            stride,
            dtype,
        ):
            place = torch.empty(0, dtype=dtype, device=storage.device)
            tensor.data = place.set_(storage, offset, shape, stride)  # type: ignore[call-overload]

    return give_back


def _kept_values(tensors: list[Tensor]) -> list[Callable[[], None]]:
    """The values of tensors; those of one type and device together, which is fast."""
    together: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for tensor in tensors:
        for plain in _writable(tensor):
            together.setdefault((plain.dtype, plain.device), []).append(plain)
    others = [tensor for tensor in tensors if not _has_memory(tensor)]
    return [*map(_kept_group, together.values()), *map(_kept_other, others)]


def _has_memory(tensor: Tensor) -> bool:
    """Whether its elements lie in one memory: not so for sparse tensors and wrapper classes."""
    plain = type(tensor).__torch_dispatch__ is Tensor.__torch_dispatch__
    return plain and tensor.layout is torch.strided


def _writable(tensor: Tensor) -> Iterable[Tensor]:
    """Return what to copy of a tensor: itself, or all bytes of its memory.

    The latter where elements share memory (expanded) or may not be written (inference mode).
    """
    if tensor.is_meta or not _has_memory(tensor):
        return ()
    if tensor.is_contiguous() and not tensor.is_inference() and not tensor.is_quantized:
        return (tensor,)
    empty = torch.empty(0, dtype=torch.uint8, device=tensor.device)
    return (empty.set_(tensor.untyped_storage()),)  # type: ignore[call-overload]


def _kept_group(tensors: list[Tensor]) -> Callable[[], None]:
    def flat() -> Tensor:
        return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])

    values = flat()

    def give_back() -> None:
        # As bytes, which tell -0 from 0, and NaN from nothing.
        if torch.equal(flat().view(torch.uint8), values.view(torch.uint8)):
            return
        parts = values.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts):
            # Through `data`, so that graphs which the caller holds stay valid.
            tensor.data.copy_(part.view(tensor.shape))

    return give_back


def _kept_other(tensor: Tensor) -> Callable[[], None]:
    values, version = tensor.detach().clone(), tensor._version

    def give_back() -> None:
        if tensor._version != version:
            tensor.data.copy_(values)

    return give_back


def _kept_generators(modules: list[nn.Module]) -> Callable[[], None]:
    """Those that modules hold as attributes; `seeding` keeps the global ones."""
    kept = [
        state
        for module in modules
        for value in module.__dict__.values()
        if isinstance(value, _GENERATORS)
        for state in [_kept_state(value)]
    ]

    def give_back() -> None:
        for give_back_one in kept:
            give_back_one()

    return give_back


_GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


def _kept_state(generator: Any) -> Callable[[], None]:
    if isinstance(generator, np.random.Generator):
        bits, state = generator.bit_generator, generator.bit_generator.state
        return lambda: setattr(bits, "state", state)
    if isinstance(generator, random.Random):
        state = generator.getstate()
        return lambda: generator.setstate(state)
    state = generator.get_state()
    return lambda: generator.set_state(state)
