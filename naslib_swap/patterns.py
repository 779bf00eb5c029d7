"""Exact counting of distinct sample-wise activation patterns.

One pattern per intermediate value: the signs that it takes over the S samples of a minibatch, as S
bits after a rectifier and as 2S bits (positive, then negative) where signs can be negative. A
rectifier's pattern is the signed pattern without negative bits, so both kinds share one count.

Activations are consumed as they appear. What is kept is one key of S (or 2S) bits a value, with
duplicates removed whenever the keys at hand have doubled; no matrix of floats is ever assembled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from naslib_swap.errors import SwapError

# Values staged before their bits are packed: large enough to amortise the calls, small enough for
# the stage (S bytes a value) to stay in cache.
_STAGE_VALUES = 1 << 14
# Keys kept before duplicates are removed for the first time.
_COMPACT_KEYS = 1 << 22

_Array = Any  # a numpy array of some integer type


class PatternCounter:
    """Counts the distinct patterns of all activations that it is given.

    Parameters
    ----------
    samples
        S, the size of dimension 0 of every activation.
    device
        Where the activations live; staging and packing happen there.
    """

    def __init__(self, samples: int, device: torch.device | str = "cpu") -> None:
        if samples < 2:
            raise SwapError(
                f"got a minibatch of {samples} sample(s), expected at least 2: a pattern over one "
                "sample is a single sign. Pass more inputs."
            )
        self.samples = samples
        self.values_by_sign: dict[bool, int] = {}  # of rectifiers (False), and signed ones
        self._device = torch.device(device)
        self._stages: dict[bool, _Stage] = {}
        self._maxima: list[tuple[str, Any]] = []

    def add(
        self,
        activation: torch.Tensor,
        *,
        signed: bool,
        name: str = "activation",
        maximum: torch.Tensor | None = None,
    ) -> None:
        """Take in one activation of shape [S, ...]; ``signed`` says whether it can be negative.

        What was reduced to booleans (positive or not) comes with its ``maximum``, for NaN.
        """
        flat = activation.detach().reshape(self.samples, -1)
        if flat.shape[1] == 0:
            return
        values: Any = flat
        if self._device.type == "cpu":
            # As numpy: the calls are many and small, where torch's threads cost more than they
            # bring, above all on a busy machine.
            values = (flat.float() if flat.dtype == torch.bfloat16 else flat).numpy()
        # The maximum is NaN exactly if a value is.
        self._maxima.append((name, values.max() if maximum is None else maximum))
        if signed not in self._stages:
            self._stages[signed] = _Stage(self.samples, signed, self._device)
        self._stages[signed].add(values)
        self.values_by_sign[signed] = self.values_by_sign.get(signed, 0) + flat.shape[1]

    def merge(self, other: PatternCounter) -> None:
        """Take in all that another counter of as many samples has seen."""
        if other.samples != self.samples:
            raise SwapError(
                f"got a counter of {other.samples} samples, expected {self.samples}: patterns over "
                "other minibatches cannot be the same"
            )
        for signed, stage in other._stages.items():
            if signed not in self._stages:
                self._stages[signed] = _Stage(self.samples, signed, self._device)
            self._stages[signed].merge(stage)
        self._maxima += other._maxima
        for signed, values in other.values_by_sign.items():
            self.values_by_sign[signed] = self.values_by_sign.get(signed, 0) + values

    @property
    def values(self) -> int:
        """V, the number of intermediate values seen so far."""
        return sum(self.values_by_sign.values())

    @property
    def bound(self) -> int:
        """The largest count possible, of rectifiers' values, signed ones, or both.

        min(V, 2^S), min(V, 3^S), or their sum, which is at most 3^S: a rectifier's pattern is a
        signed one without negatives, and signed values may show all the others.
        """
        rectified = min(self.values_by_sign.get(False, 0), 2**self.samples)
        signs = 3 if True in self.values_by_sign else 2
        return min(rectified + self.values_by_sign.get(True, 0), signs**self.samples)

    def count_by_sign(self) -> dict[bool, int]:
        """Return the number of distinct patterns of rectifiers (False) and of signed values."""
        return {
            signed: _count_rows(_as_words(stage.keys())) for signed, stage in self._stages.items()
        }

    def count(self) -> int:
        """Return the number of distinct patterns seen so far.

        Raises
        ------
        SwapError
            If an activation held NaN: it has no sign.
        """
        if self._maxima:
            maxima = torch.stack([torch.as_tensor(m).double() for _, m in self._maxima])
            bad = torch.isnan(maxima).nonzero()
            if len(bad):
                name = self._maxima[int(bad[0])][0]
                raise SwapError(
                    f"{len(bad)} of {len(maxima)} activations hold NaN, the first of them {name}; "
                    "expected numbers, since NaN has no sign. Check the network's weights and the "
                    "inputs' scale."
                )
        keys = [stage.keys() for stage in self._stages.values()]
        if not keys:
            return 0
        width = max(k.shape[1] for k in keys)
        whole = keys[0] if len(keys) == 1 else np.concatenate([_widen(k, width) for k in keys])
        return _count_rows(_as_words(whole))


class _Stage:
    """Packs activations of one kind into keys, one row of bytes a value.

    The stage is a torch tensor on the activations' device, on the CPU seen as a numpy array.
    """

    def __init__(self, samples: int, signed: bool, device: torch.device) -> None:
        self._samples = samples
        self._signed = signed
        self._bytes = -(-(2 * samples if signed else samples) // 8)
        # Rows beyond the bits in use stay False: they pad the last byte.
        bits = torch.zeros(8 * self._bytes, _STAGE_VALUES, dtype=torch.bool, device=device)
        words = bits.view(torch.int64).reshape(self._bytes, 8, -1)
        on_cpu = device.type == "cpu"
        self._bits: Any = bits.numpy() if on_cpu else bits
        self._words: Any = words.numpy() if on_cpu else words
        self._filled = 0
        self._keys = _KeySet(self._bytes)

    def add(self, values: Any) -> None:
        """Take in [S, values], a numpy array on the CPU, else a tensor."""
        compare: Any = np if isinstance(values, np.ndarray) else torch
        start, end = 0, values.shape[1]
        while start < end:
            take = min(end - start, _STAGE_VALUES - self._filled)
            part = values[:, start : start + take]
            there = slice(self._filled, self._filled + take)
            compare.greater(part, 0, out=self._bits[: self._samples, there])
            if self._signed:
                below = self._bits[self._samples : 2 * self._samples, there]
                compare.less(part, 0, out=below)
            self._filled += take
            start += take
            if self._filled == _STAGE_VALUES:
                self._pack()

    def merge(self, other: _Stage) -> None:
        """Take in the keys of another stage of this kind."""
        self._keys.add(other.keys())

    def keys(self) -> _Array:
        """Return uint8 [K, bytes]: every distinct key at least once."""
        if self._filled:
            self._pack()
        return self._keys.rows()

    def _pack(self) -> None:
        # Eight bools, side by side, are one int64: shifting row j by j and uniting eight rows makes
        # a byte of eight samples for each of eight values at once.
        rows = self._words[:, :, : -(-self._filled // 8)]
        united = rows[:, 7] << 1
        for j in range(6, 0, -1):
            united |= rows[:, j]
            united <<= 1
        united |= rows[:, 0]
        if not isinstance(united, np.ndarray):
            united = united.cpu().numpy()
        planes = united.view(np.uint8)[:, : self._filled]
        keys = np.empty(planes.shape[::-1], dtype=np.uint8)
        for column, plane in enumerate(planes):
            keys[:, column] = plane
        self._keys.add(keys)
        self._filled = 0


class _KeySet:
    """Keys of a few bytes each: a table of flags up to two bytes, a list with compaction beyond."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._flags = np.zeros(1 << (8 * width), dtype=bool) if width <= 2 else None
        self._packed: list[_Array] = []
        self._held = 0
        self._limit = _COMPACT_KEYS

    def add(self, keys: _Array) -> None:
        """Take in uint8 [K, bytes], one row a key; they are kept as they are, not copied."""
        if self._flags is not None:
            self._flags[_as_words(keys)[:, 0]] = True
            return
        self._packed.append(keys)
        self._held += len(keys)
        if self._held > self._limit:
            distinct = _distinct_rows(np.concatenate(self._packed))
            self._packed = [distinct]
            self._held = len(distinct)
            self._limit = max(_COMPACT_KEYS, 2 * self._held)

    def rows(self) -> _Array:
        if self._flags is not None:
            found = np.flatnonzero(self._flags).astype(f"u{self._width}")
            return found.view(np.uint8).reshape(-1, self._width)
        if len(self._packed) != 1:
            self._packed = [np.concatenate([np.empty((0, self._width), np.uint8), *self._packed])]
        return self._packed[0]


def _widen(keys: _Array, width: int) -> _Array:
    """Pad keys with zero bytes: a rectifier's pattern has no negative bits."""
    if keys.shape[1] == width:
        return keys
    wide = np.zeros((len(keys), width), dtype=np.uint8)
    wide[:, : keys.shape[1]] = keys
    return wide


def _as_words(keys: _Array) -> _Array:
    """View uint8 [K, bytes] as unsigned integers [K, words], the widest that fit."""
    width = keys.shape[1]
    size = next((s for s in (1, 2, 4) if width <= s), 8)
    return np.ascontiguousarray(_widen(keys, -(-width // size) * size)).view(f"u{size}")


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
    order = np.argsort(hashes)
    ranked = hashes[order]
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
        ranked = np.sort(words[:, 0])
        return int(np.count_nonzero(ranked[1:] != ranked[:-1])) + 1
    return int(np.count_nonzero(_first_of_equals(words)[1]))


def _distinct_rows(keys: _Array) -> _Array:
    """Return the distinct rows of uint8 [K, bytes]."""
    words = _as_words(keys)
    if words.shape[1] == 1:
        distinct = np.unique(words[:, 0])[:, None]
    else:
        order, first = _first_of_equals(words)
        distinct = words[order[first]]
    return distinct.view(np.uint8)[:, : keys.shape[1]]
