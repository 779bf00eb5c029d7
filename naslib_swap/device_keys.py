"""Sets of keys on the device where the activations are: torch packs, marks, sorts and counts them.

The same as :mod:`naslib_swap.pattern_keys` does on the CPU, as calls of torch that any device has.
Calls are few, since each costs a device more than what it does, and none waits for the device but
those that need a size: removing duplicates, and counting.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

# Signs, a byte each, that wait to be packed together; packing takes eight times as many bytes.
_WAITING_SIGNS = 1 << 22
# Keys kept before duplicates are removed for the first time.
_COMPACT_KEYS = 1 << 22


class DeviceKeys:
    """Keys that torch packs and counts, on any device.

    Bit j of a key is set where sample j is above zero, bit S + j where it is below; 64 bits are one
    word. Up to 16 bits there is a flag for each possible key. Longer ones are kept as they come,
    without duplicates whenever those at hand have doubled.
    """

    def __init__(self, samples: int, signed: bool, device: torch.device) -> None:
        self._samples = samples
        self._signed = signed
        self._bits = 2 * samples if signed else samples
        self._weights = torch.ones(64, 1, dtype=torch.int64, device=device)
        self._weights <<= torch.arange(64, device=device)[:, None]
        self._waiting: list[Tensor] = []  # bool [bits, V]
        self._signs = 0
        self._flags: Tensor | None = None
        if self._bits <= 16:
            self._flags = torch.zeros(1 << self._bits, dtype=torch.bool, device=device)
        self._packed: list[Tensor] = []  # int64 [words, K]
        self._held = 0
        self._limit = _COMPACT_KEYS

    def add(self, values: Tensor) -> bool | Tensor:
        """Take in [S, V]; return whether NaN is there, on the device."""
        signs = values.new_empty(self._bits, values.shape[1], dtype=torch.bool)
        torch.gt(values, 0, out=signs[: self._samples])
        if self._signed:
            torch.lt(values, 0, out=signs[self._samples :])
        self._waiting.append(signs)
        self._signs += signs.numel()
        if self._signs > _WAITING_SIGNS:
            self._pack()
        # The maximum is NaN exactly if a value is.
        return torch.isnan(values.max()) if values.is_floating_point() else False

    def merge(self, other: DeviceKeys) -> None:
        """Take in the keys of another set, whose bits are the first of this one's."""
        self._take(other._keys())

    def count(self) -> int:
        """Return the number of distinct keys: waits for the device once."""
        self._pack()
        marked = _ranked(self._keys())[1] if self._flags is None else self._flags
        return int(torch.count_nonzero(marked))

    def _keys(self) -> Tensor:
        """Return int64 [words, K]: every distinct key at least once."""
        self._pack()
        if self._flags is not None:
            return self._flags.nonzero().T
        self._packed = [torch.cat(self._packed, dim=1)]
        return self._packed[0]

    def _pack(self) -> None:
        if not self._waiting:
            return
        signs = torch.cat(self._waiting, dim=1)
        self._waiting, self._signs = [], 0
        for part in signs.split(max(1, _WAITING_SIGNS // self._bits), dim=1):
            words = [(w * self._weights[: len(w)]).sum(dim=0) for w in part.split(64)]
            self._take(torch.stack(words))

    def _take(self, keys: Tensor) -> None:
        if self._flags is not None:
            self._flags.index_fill_(0, keys[0], True)
            return
        if self._held > self._limit:
            ranked, first = _ranked(torch.cat(self._packed, dim=1))
            self._packed = [ranked[:, first]]
            self._held = self._packed[0].shape[1]
            self._limit = max(_COMPACT_KEYS, 2 * self._held)
        self._packed.append(pad(keys, (0, 0, 0, -(-self._bits // 64) - len(keys))))
        self._held += keys.shape[1]


def _ranked(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Return int64 [words, K] with equal keys side by side, and which are the first of those."""
    order = keys[-1].argsort(stable=True)
    for word in keys[:-1].flip(0):
        order = order[word[order].argsort(stable=True)]
    ranked = keys[:, order]
    first = torch.ones_like(order, dtype=torch.bool)
    first[1:] = (ranked[:, 1:] != ranked[:, :-1]).any(dim=0)
    return ranked, first
