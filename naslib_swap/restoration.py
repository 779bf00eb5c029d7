"""A network that comes back as it was, whatever its forward pass did to it."""

from __future__ import annotations

import operator
import random
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import Any, Callable

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap.errors import Unscorable

# What a module registers; a change in one of these says that a module rebuilds itself.
_REGISTRIES = ("_parameters", "_buffers", "_modules")


@contextmanager
def restored(net: nn.Module) -> Iterator[None]:
    """Restore a network on leaving, also where something raised.

    Parameters
    ----------
    net
        Any module. Inside, it may be run, put into another mode (:func:`set_mode`), moved to
        another device and given other weights.

    Raises
    ------
    Unscorable
        If it holds lazy modules that were never run, or tensors on the meta device: they have no
        values. On leaving, where a module's own ``train()`` fails. All else is restored even then.

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
    parameters = _distinct(item for m in modules for item in m._parameters.values())
    buffers = _distinct(item for m in modules for item in m._buffers.values())
    _require_values(net, [*parameters, *buffers])
    own = [(module, module.training) for module in modules if _has_own_train(module)]
    give_back_structure = _kept_structure(modules)
    give_back_tensors = _kept_tensors(parameters, buffers)
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


def _require_values(net: nn.Module, tensors: list[Tensor]) -> None:
    if not any(tensor.is_meta or nn.parameter.is_lazy(tensor) for tensor in tensors):
        return
    for name, tensor in (*net.named_parameters(), *net.named_buffers()):
        given = f"got a {type(net).__name__} whose {name!r} is"
        if nn.parameter.is_lazy(tensor):
            raise Unscorable(
                f"{given} lazy, expected weights that have a shape. Run the network once on a "
                "minibatch, then score it."
            )
        if tensor.is_meta:
            raise Unscorable(
                f"{given} on the meta device, expected weights that have values. Build it without "
                "torch.device('meta'), or call net.to_empty(device='cpu') and initialise it."
            )


def _has_own_train(module: nn.Module) -> bool:
    return type(module).train is not nn.Module.train or "train" in module.__dict__


def _return_to_mode(module: nn.Module, training: bool) -> None:
    if module.training == training:
        return
    try:
        module.train(training)
    except Exception as error:
        raise Unscorable(
            f"{type(module).__name__}.train({training}) raised {type(error).__name__}: {error}. "
            "The network is as it was, except for what that call had begun."
        ) from error


def _kept_structure(modules: list[nn.Module]) -> Callable[..., None]:
    attributes = [dict(m.__dict__) for m in modules]
    live = [m.__dict__[name] for m in modules for name in _REGISTRIES]
    registries = [dict(registry) if registry else {} for registry in live]

    def give_back(*, modes: bool) -> None:
        # All at once, since comparing module by module costs as much as counting.
        if not _same(live, registries):
            for i, module in enumerate(modules):
                own = slice(i * len(_REGISTRIES), (i + 1) * len(_REGISTRIES))
                if not _same(live[own], registries[own]):
                    module.__dict__.clear()
                    module.__dict__.update(attributes[i])
                    for registry, items in zip(live[own], registries[own]):
                        registry.clear()
                        registry.update(items)
        if modes:
            for module, kept in zip(modules, attributes):
                module.__dict__["training"] = kept["training"]

    return give_back


def _same(now: list[dict[str, Any]], before: list[dict[str, Any]]) -> bool:
    """Whether the same objects stand under the same names."""
    if [*map(len, now)] != [*map(len, before)]:
        return False
    now, before = [*filter(None, now)], [*filter(None, before)]  # most are empty
    return [*chain(*now)] == [*chain(*before)] and all(
        map(operator.is_, _items(now), _items(before))
    )


def _items(registries: list[dict[str, Any]]) -> Iterator[Any]:
    return chain.from_iterable(map(dict.values, registries))


def _kept_tensors(parameters: list[Tensor], buffers: list[Tensor]) -> Callable[[], None]:
    # Flat lists throughout: an object per tensor would cost more than the copies.
    wanted = [parameter.requires_grad for parameter in parameters]
    grads = [parameter.grad for parameter in parameters]
    tensors = [*parameters, *buffers]
    homes = [tensor.data for tensor in tensors]
    # A forward pass does not edit gradients, but they move with their parameters.
    moved = [grad for grad in grads if grad is not None]
    give_back_places = _kept_places(
        [*tensors, *moved], [*homes, *(tensor.data for tensor in moved)]
    )
    memories = [_writable(*pair) for pair in zip(tensors, homes)]
    values = [memory.clone() for memory in memories]
    # On other devices, every comparison would wait for the device. Most buffers change anyway.
    compared = [parameter.is_cpu and _has_memory(parameter) for parameter in parameters]
    compared += [False] * len(buffers)

    def versions() -> list[int]:
        return [0 if tensor.is_inference() else tensor._version for tensor in tensors]

    before = versions()

    @torch.no_grad()
    def give_back() -> None:
        give_back_places()
        now = versions()
        for i, (memory, value) in enumerate(zip(memories, values)):
            # By versions too, since 0 equals -0.
            if not compared[i] or now[i] != before[i] or not torch.equal(memory, value):
                memory.copy_(value)
        for parameter, requires_grad, grad in zip(parameters, wanted, grads):
            if parameter.requires_grad != requires_grad:
                parameter.requires_grad_(requires_grad)
            if parameter.grad is not grad:
                parameter.grad = grad

    return give_back


def _distinct(tensors: Iterable[Tensor | None]) -> list[Tensor]:
    return list({id(tensor): tensor for tensor in tensors if tensor is not None}.values())


def _has_memory(tensor: Tensor) -> bool:
    """Whether its elements lie in one memory: not so for sparse tensors and wrapper classes."""
    plain = type(tensor).__torch_dispatch__ is Tensor.__torch_dispatch__
    return plain and tensor.layout is torch.strided


def _kept_places(tensors: list[Tensor], homes: list[Tensor]) -> Callable[[], None]:
    """Where the values of tensors lie, and in what shape; `homes` are their data now."""
    pairs = [(tensor, home) for tensor, home in zip(tensors, homes) if _has_memory(tensor)]
    storages = [home.untyped_storage() for _, home in pairs]
    sizes = [storage.nbytes() for storage in storages]

    def give_back() -> None:
        for storage, size in zip(storages, sizes):
            if storage.nbytes() != size:
                storage.resize_(size)
        for tensor, home in pairs:
            if tensor.device != home.device or not tensor.is_set_to(home):
                tensor.data = home

    return give_back


def _writable(tensor: Tensor, data: Tensor) -> Tensor:
    """Return a tensor's memory in a form that can be written to.

    That is its data, whose version is its own, so that graphs which the caller holds stay valid; or
    all bytes, where elements share memory (expanded) or are read-only (inference mode). A sparse
    tensor is returned itself.
    """
    if not _has_memory(tensor):
        return tensor
    if data.is_contiguous() and not tensor.is_inference():
        return data
    empty = torch.empty(0, dtype=torch.uint8, device=tensor.device)
    return empty.set_(tensor.untyped_storage())  # type: ignore[call-overload]


def _kept_generators(modules: list[nn.Module]) -> Callable[[], None]:
    """Those that modules hold as attributes; `seeding` keeps the global ones."""
    kept = [
        _kept_state(value)
        for module in modules
        if not type(module).__module__.startswith("torch.nn.")
        for value in module.__dict__.values()
        if type(value) in _GENERATORS  # isinstance is slow for torch's
    ]

    def give_back() -> None:
        for give_back_one in kept:
            give_back_one()

    return give_back


_GENERATORS = {torch.Generator, np.random.Generator, np.random.RandomState, random.Random}


def _kept_state(generator: Any) -> Callable[[], None]:
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        return partial(setattr, bits, "state", bits.state)
    if isinstance(generator, random.Random):
        return partial(generator.setstate, generator.getstate())
    return partial(generator.set_state, generator.get_state())
