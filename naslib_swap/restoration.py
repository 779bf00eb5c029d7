"""A network that comes back as it was, whatever its forward pass did to it."""

from __future__ import annotations

import ctypes
import operator
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import accumulate, chain
from typing import Any, Callable

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap.errors import Unscorable
from naslib_swap.traversal import distinct, modules_of, parameters_of

_memcmp = ctypes.CDLL("msvcrt" if os.name == "nt" else None).memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

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
    modules = modules_of(net)
    parameters = parameters_of(modules)
    buffers = distinct(item for m in modules for item in m._buffers.values())
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
    """Put a network into train or eval mode, by its own ``train()``.

    Raises
    ------
    Unscorable
        Where it has one mode alone, as programs of torch.export have.
    """
    # Not where nothing would change: on a network of many modules this costs as much as counting.
    if any(module.training != train for module in modules_of(net)):
        try:
            net.train(train)
        except NotImplementedError as error:
            raise Unscorable(
                f"{type(net).__name__} cannot be put into {'train' if train else 'eval'} mode "
                f"({str(error).rstrip('.')}). Where it was exported, score the network that it was "
                "exported from, or torch.export.unflatten(program)."
            ) from None


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
    attributes = _Entries([module.__dict__ for module in modules])
    registries = _Entries([module.__dict__[name] for module in modules for name in _REGISTRIES])
    modes_before = [module.training for module in modules]

    def give_back(*, modes: bool) -> None:
        # All at once, since comparing module by module costs as much as counting.
        if not registries.are_same():
            for place in range(len(modules)):
                own = range(place * len(_REGISTRIES), (place + 1) * len(_REGISTRIES))
                if any(map(registries.differs, own)):
                    attributes.give_back(place)
                    for one in own:
                        registries.give_back(one)
        if modes:
            for module, training in zip(modules, modes_before):
                module.__dict__["training"] = training

    return give_back


class _Entries:
    """What several dictionaries hold now, in three lists.

    A copy of each, and the garbage collector would run in every pass.
    """

    def __init__(self, dictionaries: list[dict[str, Any]]) -> None:
        self._dictionaries = dictionaries
        self._lengths, self._names, self._values = self._now()
        self._ends = [0, *accumulate(self._lengths)]

    def are_same(self) -> bool:
        """Whether the same objects stand under the same names in all of them."""
        lengths, names, values = self._now()
        same = lengths == self._lengths and names == self._names
        return same and all(map(operator.is_, values, self._values))

    def differs(self, place: int) -> bool:
        """Whether one of them is another than it was."""
        now, before = self._dictionaries[place], self._before(place)
        return [*now] != [*before] or not all(map(operator.is_, now.values(), before.values()))

    def give_back(self, place: int) -> None:
        """Make one of them what it was."""
        before = self._before(place)
        self._dictionaries[place].clear()
        self._dictionaries[place].update(before)

    def _now(self) -> tuple[list[int], list[str], list[Any]]:
        filled = [*filter(None, self._dictionaries)]  # most registries are empty
        values = chain.from_iterable(map(dict.values, filled))
        return [*map(len, self._dictionaries)], [*chain.from_iterable(filled)], [*values]

    def _before(self, place: int) -> dict[str, Any]:
        own = slice(self._ends[place], self._ends[place + 1])
        return dict(zip(self._names[own], self._values[own]))


def _kept_tensors(parameters: list[Tensor], buffers: list[Tensor]) -> Callable[[], None]:
    # Flat lists throughout: an object per tensor would cost more than the copies.
    wanted = [parameter.requires_grad for parameter in parameters]
    grads = [parameter.grad for parameter in parameters]
    # A forward pass does not edit gradients, but they move with their parameters.
    moved = [grad for grad in grads if grad is not None]
    tensors = [*parameters, *buffers, *moved]
    homes = [tensor.data for tensor in tensors]
    whole = [*map(_has_memory, tensors)]
    pairs = [pair for pair, one in zip(zip(tensors, homes), whole) if one]
    give_back_places = _kept_places(*zip(*pairs)) if pairs else None
    count = len(parameters) + len(buffers)
    here = [home for home, one in zip(homes[:count], whole) if one and home.is_cpu]
    elsewhere = [
        _writable(tensor, home) if one else tensor
        for tensor, home, one in zip(tensors[:count], homes, whole)
        if not (one and home.is_cpu)
    ]
    # One piece of memory for all: many, asked for in every pass, cost more than what is copied.
    sizes = [size for _, size in map(_span, here)]
    kept = np.empty(sum(sizes), dtype=np.uint8)

    def places() -> Iterator[int]:
        return accumulate(sizes, initial=kept.ctypes.data)

    for home, place in zip(here, places()):
        ctypes.memmove(place, *_span(home))
    copies = [memory.clone() for memory in elsewhere]

    @torch.no_grad()
    def give_back() -> None:
        if give_back_places is not None:
            give_back_places()
        # Compared first: memory may be read-only, or shared with other processes.
        # By bytes, not by torch.equal, which is slower and takes 0 for -0, NaN for another number.
        for home, place in zip(here, places()):
            address, size = _span(home)
            if _memcmp(address, place, size):
                ctypes.memmove(address, place, size)
        # On other devices, every comparison would wait for the device.
        for memory, copy in zip(elsewhere, copies):
            memory.copy_(copy)
        for parameter, requires_grad, grad in zip(parameters, wanted, grads):
            if parameter.requires_grad != requires_grad:
                parameter.requires_grad_(requires_grad)
            if parameter.grad is not grad:
                parameter.grad = grad

    return give_back


def _has_memory(tensor: Tensor) -> bool:
    """Whether its elements lie in one memory: not so for sparse tensors and wrapper classes."""
    plain = type(tensor).__torch_dispatch__ is Tensor.__torch_dispatch__
    return plain and tensor.layout is torch.strided


def _span(home: Tensor) -> tuple[int, int]:
    """Address and size of a tensor's memory: all of it where elements have gaps or share it."""
    if home.is_contiguous():
        return home.data_ptr(), home.nbytes
    storage = home.untyped_storage()
    return storage.data_ptr(), storage.nbytes()


def _kept_places(tensors: Sequence[Tensor], homes: Sequence[Tensor]) -> Callable[[], None]:
    """Where the values of tensors lie, and in what shape; `homes` are their data now."""
    sizes = [home.untyped_storage().nbytes() for home in homes]
    devices = [home.device for home in homes]

    def give_back() -> None:
        for tensor, home, size, device in zip(tensors, homes, sizes, devices):
            if home.untyped_storage().nbytes() != size:
                home.untyped_storage().resize_(size)
            if tensor.device != device or not tensor.is_set_to(home):
                tensor.data = home

    return give_back


def _writable(tensor: Tensor, data: Tensor) -> Tensor:
    """Return a tensor's memory in a form that can be written to.

    That is its data, whose version is its own, so that graphs which the caller holds stay valid; or
    all bytes, where elements share memory (expanded) or are read-only (inference mode).
    """
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
