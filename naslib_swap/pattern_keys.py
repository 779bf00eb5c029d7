"""Sets of keys on the CPU: the distinct patterns of some activations, one key of S or 2S bits each.

Bit j of a key is set where sample j is above zero, bit S + j where it is below. Two classes do the
same: :class:`CompiledKeys` in C (``_patterns.c``), :class:`StagedKeys` with numpy. Both read signs
off the bits of a float, as an integer: what is denormal has a sign even where the processor flushes
it to zero.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

# Signs, a byte each, that are staged before they are packed: many save calls, few stay in cache.
_STAGED_SIGNS = 1 << 20
# Keys for which there is room at first.
_FIRST_ROOM = 1 << 16
# Keys kept before duplicates are removed for the first time.
_COMPACT_KEYS = 1 << 22

_Array = Any  # a numpy array of some integer type


class _Integers(NamedTuple):
    """How the bits of a type read as integers."""

    type: torch.dtype
    infinity: int  # what is larger, leaving the sign aside, is NaN; of integers, nothing is
    last_above: int  # read without a sign: what is larger is below zero


_READ_AS = {
    torch.float64: _Integers(torch.int64, 0x7FF0 << 48, 1 << 63),
    torch.float32: _Integers(torch.int32, 0x7F80 << 16, 1 << 31),
    torch.bfloat16: _Integers(torch.int16, 0x7F80, 1 << 15),
    torch.float16: _Integers(torch.int16, 0x7C00, 1 << 15),
    torch.int8: _Integers(torch.int8, 0xFF, 0x7F),
    torch.bool: _Integers(torch.int8, 0xFF, 0x7F),
}


def _readable(values: Tensor) -> tuple[Tensor, _Integers]:
    """Return values and how to read them; types without an entry are converted."""
    if values.dtype not in _READ_AS:
        values = values.float() if values.is_floating_point() else values.sign().to(torch.int8)
    return values, _READ_AS[values.dtype]


def _bits(samples: int, signed: bool) -> int:
    return 2 * samples if signed else samples


class CompiledKeys:
    """Keys that a compiled kernel packs and counts."""

    def __init__(self, samples: int, signed: bool, kernel: Any) -> None:
        bits = _bits(samples, signed)
        self._signed = signed
        self._kernel = kernel
        self._keys = _Flags(bits) if bits <= 16 else _HashedKeyList(-(-bits // 32), kernel)

    def add(self, values: Tensor) -> bool:
        """Take in [S, V] on the CPU; return whether NaN is there."""
        values, read = _readable(values)
        size = values.element_size()
        address = values.data_ptr()  # refuses what has no memory of its own, or says 0
        row, step = values.stride()
        samples, count = values.shape
        if not address or step != 1 or address % size or values.is_neg():
            integers = values.detach().resolve_neg().view(read.type).numpy()
            values = torch.from_numpy(np.array(integers, order="C"))
            address, row = values.data_ptr(), count
        where = (address, size * row, samples, count)
        how = (size, read.infinity, self._signed)
        if isinstance(self._keys, _Flags):
            return bool(self._kernel.mark(*where, *how, self._keys.address))
        keys = self._keys.room(count)
        return bool(self._kernel.pack(*where, *how, keys.ctypes.data))

    def merge(self, other: CompiledKeys) -> None:
        """Take in the keys of another set, whose bits are the first of this one's."""
        self._keys.add(other._keys.rows())

    def count(self) -> int:
        """Return the number of distinct keys."""
        return self._keys.count()


class StagedKeys:
    """Keys that numpy packs from a stage of booleans.

    The calls are many and small, where torch's threads cost more than they bring.
    """

    def __init__(self, samples: int, signed: bool) -> None:
        bits = _bits(samples, signed)
        rows = next((r for r in (16, 32) if bits <= r), -(-bits // 64) * 64)
        self._samples = samples
        self._signed = signed
        self._word = min(8, rows // 8)  # in bytes
        self._room = max(8, _STAGED_SIGNS // rows // 8 * 8)
        # Rows beyond the bits in use stay False.
        self._stage = np.zeros((rows, self._room), dtype=bool)
        self._half = np.empty((rows // 2, self._room // 8), dtype=np.uint64)
        self._filled = 0
        self._keys = _Flags(bits) if bits <= 16 else _KeyList(rows // 8)

    def add(self, values: Tensor) -> bool:
        """Take in [S, V] on the CPU; return whether NaN is there."""
        values, read = _readable(values)
        signed = values.detach().view(read.type).numpy()
        unsigned = signed.view(f"u{signed.itemsize}")
        start, end = 0, signed.shape[1]
        while start < end:
            take = min(end - start, self._room - self._filled)
            part = slice(start, start + take)
            there = slice(self._filled, self._filled + take)
            np.greater(signed[:, part], 0, out=self._stage[: self._samples, there])
            if self._signed:
                negative = self._stage[self._samples : 2 * self._samples, there]
                np.greater(unsigned[:, part], read.last_above, out=negative)
            self._filled += take
            start += take
            if self._filled == self._room:
                self._pack()
        # Of a rectifier's numbers, none of which is below zero, one maximum says enough.
        highest = unsigned.max()
        if highest <= read.infinity:
            return False
        return bool(highest > read.last_above | read.infinity or signed.max() > read.infinity)

    def merge(self, other: StagedKeys) -> None:
        """Take in the keys of another set, whose bits are the first of this one's."""
        other._pack()
        self._keys.add(other._keys.rows())

    def count(self) -> int:
        """Return the number of distinct keys."""
        self._pack()
        return self._keys.count()

    def _pack(self) -> None:
        """Unite neighbouring rows: of bits, eight values at a time, then of whole bytes."""
        columns = -(-self._filled // 8)
        bits = self._stage.view(np.uint64)[:, :columns]
        rows = np.left_shift(bits[1::2], 1, out=self._half[:, :columns])
        rows |= bits[::2]
        for shift in (2, 4):
            even, rows = rows[::2], rows[1::2]
            rows <<= shift
            rows |= even
        keys = rows.view(np.uint8)[:, : self._filled]
        while keys.itemsize < self._word:
            wider = keys[1::2].astype(f"u{2 * keys.itemsize}")
            wider <<= 8 * keys.itemsize
            wider |= keys[::2]
            keys = wider
        self._keys.add(np.ascontiguousarray(keys.T, dtype=f"<u{self._word}").view(np.uint8))
        self._filled = 0


class _Flags:
    """Keys of at most two bytes: one flag for each possible one."""

    def __init__(self, bits: int) -> None:
        self.marks = np.zeros(1 << bits, dtype=bool)
        self.address = self.marks.ctypes.data

    def add(self, keys: _Array) -> None:
        """Take in uint8 [K, 2], one row a key."""
        self.marks[keys.view("<u2")[:, 0].astype(np.intp)] = True

    def count(self) -> int:
        return int(np.count_nonzero(self.marks))

    def rows(self) -> _Array:
        return np.flatnonzero(self.marks).astype("<u2")[:, None].view(np.uint8)


class _KeyList:
    """Keys of more bytes: as they come, without duplicates whenever those at hand have doubled."""

    def __init__(self, width: int) -> None:
        self._keys = np.empty((0, width), dtype=np.uint8)
        self.held = 0
        self._limit = _COMPACT_KEYS

    def room(self, count: int) -> _Array:
        """Return uint8 [count, bytes] for the caller to write keys into, one row each."""
        if self.held > self._limit:
            self._keys = self._distinct()
            self.held = len(self._keys)
            self._limit = max(_COMPACT_KEYS, 2 * self.held)
        start, end = self.held, self.held + count
        if end > len(self._keys):
            # What is not written to takes no memory.
            grown = np.empty((max(end, 2 * start, _FIRST_ROOM), self._keys.shape[1]), np.uint8)
            grown[:start] = self.rows()
            self._keys = grown
        self.held = end
        return self._keys[start:end]

    def add(self, keys: _Array) -> None:
        """Take in uint8 [K, bytes], with fewer or more bytes of padding at the end."""
        room = self.room(len(keys))
        width = min(room.shape[1], keys.shape[1])
        room[:, :width] = keys[:, :width]
        room[:, width:] = 0

    def count(self) -> int:
        return _count_rows(_as_words(self.rows()))

    def rows(self) -> _Array:
        return self._keys[: self.held]

    def _distinct(self) -> _Array:
        return _distinct_rows(self.rows())


class _HashedKeyList(_KeyList):
    """The same with the kernel's hash table, which compares whole keys: no hash passes for one."""

    def __init__(self, words: int, kernel: Any) -> None:
        super().__init__(4 * words)
        self._words = words
        self._kernel = kernel

    def count(self) -> int:
        return self._hashed()[0]

    def _distinct(self) -> _Array:
        table = self._hashed()[1]
        return self._keys[(table[table > 0] & 0xFFFFFFFF) - 1]

    def _hashed(self) -> tuple[int, _Array]:
        """Return how many keys are distinct, and a table that says in its lower half where."""
        table = np.zeros(self.held + self.held // 2 + 1, dtype=np.uint64)
        where = (self._keys.ctypes.data, self.held, self._words, table.ctypes.data, len(table))
        return self._kernel.distinct(*where), table


def _as_words(keys: _Array) -> _Array:
    """View uint8 [K, bytes], bytes 4 or a multiple of 8, as unsigned integers [K, words]."""
    return keys.view(f"u{min(8, keys.shape[1])}")


def _sorted(words: _Array) -> _Array:
    """Sort integers; numpy before 2.0 takes several times as long as torch, later the other way."""
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        return np.sort(words)
    return torch.from_numpy(words.view(f"i{words.itemsize}")).sort().values.numpy()


def _mix(words: _Array) -> _Array:
    """Hash each row of uint64 words to one uint64, word by word.

    Each word goes through the whole finaliser of splitmix64 (Steele et al. 2014): one
    multiplication leaves differences in the top bits, where patterns often differ, to cancel
    against those of the next word.
    """
    mixed = np.zeros(len(words), dtype=np.uint64)
    for column in words.T:
        mixed ^= column
        mixed ^= mixed >> np.uint64(30)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(27)
        mixed *= np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _first_of_equals(words: _Array) -> tuple[_Array, _Array]:
    """Return (order, first): rows in an order that brings equals together, and each one's first.

    Rows are sorted by a hash and compared where hashes agree, so the answer is exact; two different
    rows of one hash are settled by sorting the rows themselves.
    """
    hashes = _mix(words)
    ranked, order = (part.numpy() for part in torch.from_numpy(hashes.view(np.int64)).sort())
    same_hash = np.flatnonzero(ranked[1:] == ranked[:-1])
    first = np.ones(len(words), dtype=bool)
    if (words[order[same_hash]] == words[order[same_hash + 1]]).all():
        first[same_hash + 1] = False
        return order, first
    order = np.lexsort(words.T)
    first[1:] = (words[order[1:]] != words[order[:-1]]).any(axis=1)
    return order, first


def _count_rows(words: _Array) -> int:
    """Count distinct rows of unsigned integers [K, words], exactly."""
    if words.shape[1] == 1:
        ranked = _sorted(words[:, 0])
        return int(np.count_nonzero(ranked[1:] != ranked[:-1])) + 1
    return int(np.count_nonzero(_first_of_equals(words)[1]))


def _distinct_rows(keys: _Array) -> _Array:
    """Return the distinct rows of uint8 [K, bytes]."""
    words = _as_words(keys)
    if words.shape[1] == 1:
        ranked = _sorted(words[:, 0])
        first = np.ones(len(ranked), dtype=bool)
        np.not_equal(ranked[1:], ranked[:-1], out=first[1:])
        distinct = ranked[first][:, None]
    else:
        order, first = _first_of_equals(words)
        distinct = words[order[first]]
    return distinct.view(np.uint8)
