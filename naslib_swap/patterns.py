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
_STAGE_VALUES = 1 << 15
# Keys kept before duplicates are removed for the first time.
_COMPACT_KEYS = 1 << 22


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
        self.values = 0
        self.signed = False
        self._device = torch.device(device)
        self._stages: dict[bool, _Stage] = {}
        self._poisoned: list[tuple[str, torch.Tensor]] = []

    def add(self, activation: torch.Tensor, *, signed: bool, name: str = "activation") -> None:
        """Take in one activation of shape [S, ...]; ``signed`` says whether it can be negative."""
        flat = activation.detach().reshape(self.samples, -1)
        if flat.shape[1] == 0:
            return
        # The maximum is NaN exactly if a value is, and reads the activation while it is in cache.
        self._poisoned.append((name, flat.amax()))
        if signed not in self._stages:
            self._stages[signed] = _Stage(self.samples, signed, self._device)
        self._stages[signed].add(flat)
        self.values += flat.shape[1]
        self.signed = self.signed or signed

    @property
    def bound(self) -> int:
        """The largest count possible: min(V, 2^S), or min(V, 3^S) where signs can be negative."""
        return min(self.values, (3 if self.signed else 2) ** self.samples)

    def count(self) -> int:
        """Return the number of distinct patterns seen so far.

        Raises
        ------
        SwapError
            If an activation held NaN: it has no sign.
        """
        if self._poisoned:
            maxima = torch.stack([maximum.double() for _, maximum in self._poisoned])
            bad = torch.isnan(maxima).nonzero()
            if len(bad):
                name = self._poisoned[int(bad[0])][0]
                raise SwapError(
                    f"{len(bad)} of {len(maxima)} activations hold NaN, the first of them {name}; "
                    "expected numbers, since NaN has no sign. Check the network's weights and the "
                    "inputs' scale."
                )
            self._poisoned = []
        keys = [stage.keys() for stage in self._stages.values()]
        if not keys:
            return 0
        width = max(k.shape[1] for k in keys)
        return _count_rows(_as_words(np.concatenate([_widen(k, width) for k in keys])))


class _Stage:
    """Packs activations of one kind into keys, one row of bytes a value."""

    def __init__(self, samples: int, signed: bool, device: torch.device) -> None:
        self._samples = samples
        self._signed = signed
        bits = 2 * samples if signed else samples
        self._bytes = -(-bits // 8)
        # Rows beyond the bits in use stay False: they pad the last byte.
        self._bits = torch.zeros(8 * self._bytes, _STAGE_VALUES, dtype=torch.bool, device=device)
        self._filled = 0
        self._packed: list[np.ndarray[Any, Any]] = []
        self._held = 0
        self._limit = _COMPACT_KEYS

    def add(self, flat: torch.Tensor) -> None:
        start, end = 0, flat.shape[1]
        while start < end:
            take = min(end - start, _STAGE_VALUES - self._filled)
            part = flat[:, start : start + take]
            there = slice(self._filled, self._filled + take)
            torch.gt(part, 0, out=self._bits[: self._samples, there])
            if self._signed:
                torch.lt(part, 0, out=self._bits[self._samples : 2 * self._samples, there])
            self._filled += take
            start += take
            if self._filled == _STAGE_VALUES:
                self._pack()

    def keys(self) -> np.ndarray[Any, Any]:
        """Return uint8 [K, bytes]: every distinct key at least once."""
        self._pack()
        if not self._packed:
            return np.empty((0, self._bytes), dtype=np.uint8)
        return np.concatenate(self._packed)

    def _pack(self) -> None:
        if not self._filled:
            return
        # Eight bools, side by side, are one int64: shifting row j by j and uniting eight rows makes
        # a byte of eight samples for each of eight values at once.
        words = -(-self._filled // 8)
        rows = self._bits.view(torch.int64)[:, :words].reshape(self._bytes, 8, words)
        united = rows[:, 0].clone()
        for j in range(1, 8):
            united.bitwise_or_(rows[:, j] << j)
        keys = united.view(torch.uint8)[:, : self._filled].T.contiguous().cpu().numpy()
        self._packed.append(keys)
        self._held += len(keys)
        self._filled = 0
        if self._held > self._limit:
            distinct = _distinct_rows(np.concatenate(self._packed))
            self._packed = [distinct]
            self._held = len(distinct)
            self._limit = max(_COMPACT_KEYS, 2 * self._held)


def _widen(keys: np.ndarray[Any, Any], width: int) -> np.ndarray[Any, Any]:
    """Pad keys with zero bytes: a rectifier's pattern has no negative bits."""
    return np.pad(keys, ((0, 0), (0, width - keys.shape[1]))) if keys.shape[1] < width else keys


def _as_words(keys: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """View uint8 [K, bytes] as unsigned integers [K, words], the widest that fit."""
    width = keys.shape[1]
    size = next((s for s in (1, 2, 4) if width <= s), 8)
    padded = _widen(keys, -(-width // size) * size)
    return np.ascontiguousarray(padded).view(np.dtype(f"u{size}"))


def _mix(words: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Hash each row of uint64 words to one uint64 (multiply, rotate by addition, xor-shift)."""
    mixed = np.zeros(len(words), dtype=np.uint64)
    for column in words.T:
        mixed ^= column
        mixed *= np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
    return mixed


def _first_of_equals(words: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Sort rows so that equal ones are neighbours; return (order, mask of each first one)."""
    order = np.argsort(_mix(words), kind="stable")
    ranked = words[order]
    first = np.ones(len(words), dtype=bool)
    first[1:] = (ranked[1:] != ranked[:-1]).any(axis=1)
    return order, first


def _collision_free(words: np.ndarray[Any, Any], order: Any, first: Any) -> bool:
    """Whether rows of one hash are all equal, so that neighbours decide equality."""
    hashes = _mix(words[order])
    return not bool((first[1:] & (hashes[1:] == hashes[:-1])).any())


def _count_rows(words: np.ndarray[Any, Any]) -> int:
    """Count distinct rows of unsigned integers [K, words], exactly."""
    if words.shape[1] == 1:
        ranked = np.sort(words[:, 0])
        return int(np.count_nonzero(ranked[1:] != ranked[:-1])) + 1
    return len(_distinct_words(words))


def _distinct_words(words: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if words.shape[1] == 1:
        return np.unique(words[:, 0])[:, None]
    order, first = _first_of_equals(words)
    if not _collision_free(words, order, first):  # one in 2^64 a pair: settle it the slow way
        return np.unique(words, axis=0)
    return words[order[first]]


def _distinct_rows(keys: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the distinct rows of uint8 [K, bytes]."""
    return _distinct_words(_as_words(keys)).view(np.uint8)[:, : keys.shape[1]]
