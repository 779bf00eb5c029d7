"""Exact counting of distinct sample-wise activation patterns.

One pattern per intermediate value: the signs that it takes over the S samples of a minibatch, as S
bits after a rectifier and as 2S bits (positive, then negative) where signs can be negative. A
rectifier's pattern is the signed pattern without negative bits, so both kinds share one count.

Activations are consumed as they appear. What is kept is one key of S (or 2S) bits a value without
duplicates; no matrix of floats is ever assembled.
"""

from __future__ import annotations

import functools
import importlib
import math
import os
from typing import Any

import torch
from torch import Tensor

from naslib_swap.device_keys import DeviceKeys
from naslib_swap.errors import BadArgument, Unscorable
from naslib_swap.pattern_keys import CompiledKeys, StagedKeys

_CHOICE = "NASLIB_SWAP_KERNEL"


def kernel() -> str:
    """Say what counts patterns on the CPU.

    Returns
    -------
    str
        ``"compiled"``, or ``"numpy"`` with the reason in brackets.

    Raises
    ------
    BadArgument
        If the environment variable ``NASLIB_SWAP_KERNEL`` is neither ``compiled`` nor ``numpy``
        (nor empty), or if it asks for a compiled kernel that is not there.

    Notes
    -----
    The compiled kernel is used where the installation could build it. Both count the same, to the
    last pattern.
    """
    module, reason = _load(os.environ.get(_CHOICE, ""))
    return "compiled" if module else f"numpy ({reason})"


@functools.cache
def _load(choice: str) -> tuple[Any, str]:
    """Return the compiled kernel, or None and why."""
    if choice == "numpy":
        return None, f"{_CHOICE}=numpy"
    if choice not in ("", "compiled"):
        raise BadArgument(
            f"got {_CHOICE}={choice}, expected compiled or numpy, or nothing for the fastest."
        )
    try:
        return importlib.import_module("naslib_swap._patterns"), ""
    except ModuleNotFoundError:
        reason = "no compiled kernel was built"
    except ImportError as error:
        reason = f"the compiled kernel does not load: {error}"
    if choice == "compiled":
        raise BadArgument(
            f"got {_CHOICE}=compiled, but {reason}. Install again where there is a C compiler, or "
            "unset the variable."
        )
    return None, reason


def fills_samples(score: float, samples: int) -> bool:
    """Whether a SWAP-Score is within 5 % of 2^S, all that S samples can show of rectifiers.

    Examples
    --------
    >>> fills_samples(65_000, 16), fills_samples(65_000, 2048)
    (True, False)
    """
    return score > 0 and math.log2(score) > samples + math.log2(0.95)


class PatternCounter:
    """Counts the distinct patterns of all activations that it is given.

    Parameters
    ----------
    samples
        S, the size of dimension 0 of every activation.
    device
        Where the activations live; what is not the CPU counts their patterns itself.
    """

    def __init__(self, samples: int, device: torch.device | str = "cpu") -> None:
        if samples < 2:
            raise Unscorable(
                f"got a minibatch of {samples} sample(s), expected at least 2: a pattern over one "
                "sample is a single sign. Pass more inputs."
            )
        self.samples = samples
        self.values_by_sign: dict[bool, int] = {}  # of rectifiers (False), and signed ones
        self._device = torch.device(device)
        self._keys: dict[bool, Any] = {}
        # Of each activation: its name, and whether NaN is in it.
        self._nan: list[tuple[str, Any]] = []

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
        if not activation.numel():
            return
        if activation.device.type != self._device.type:
            raise Unscorable(
                f"got an activation of {name} on {activation.device}, expected {self._device}: "
                "where the minibatch is. Move the network there as a whole."
            )
        flat = _flat(activation, self.samples)
        nan = self._of_kind(signed).add(flat)
        self._nan.append((name, nan if maximum is None else torch.isnan(maximum)))
        self.values_by_sign[signed] = self.values_by_sign.get(signed, 0) + flat.shape[1]

    def merge(self, other: PatternCounter) -> None:
        """Take in all that another counter of as many samples has seen."""
        if other.samples != self.samples:
            raise BadArgument(
                f"got a counter of {other.samples} samples, expected {self.samples}: patterns over "
                "other minibatches cannot be the same"
            )
        for signed, keys in other._keys.items():
            self._of_kind(signed).merge(keys)
        self._nan += other._nan
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
        return {signed: keys.count() for signed, keys in self._keys.items()}

    def count(self) -> int:
        """Return the number of distinct patterns seen so far.

        Raises
        ------
        Unscorable
            If an activation held NaN: it has no sign.
        """
        bad = [name for (name, _), nan in zip(self._nan, self._nan_flags()) if nan]
        if bad:
            raise Unscorable(
                f"{len(bad)} of {len(self._nan)} activations hold NaN, the first of them "
                f"{bad[0]}; expected numbers, since NaN has no sign. Check the network's weights "
                "and the inputs' scale."
            )
        if len(self._keys) < 2:
            return sum(self.count_by_sign().values())
        both = self._set(signed=True)  # a rectifier's pattern has no negative bits
        for keys in self._keys.values():
            both.merge(keys)
        return both.count()

    def _nan_flags(self) -> list[bool]:
        flags = [nan for _, nan in self._nan]
        if all(isinstance(nan, bool) for nan in flags):
            return flags
        together = [torch.as_tensor(nan, device=self._device) for nan in flags]
        found: list[bool] = torch.stack(together).tolist()  # waits for the device once
        return found

    def _of_kind(self, signed: bool) -> Any:
        if signed not in self._keys:
            self._keys[signed] = self._set(signed)
        return self._keys[signed]

    def _set(self, signed: bool) -> Any:
        """Return an empty set of keys: for one counter, always of the same class."""
        if self._device.type != "cpu":
            return DeviceKeys(self.samples, signed, self._device)
        module = _load(os.environ.get(_CHOICE, ""))[0]
        if module:
            return CompiledKeys(self.samples, signed, module)
        return StagedKeys(self.samples, signed)


def _flat(activation: Tensor, samples: int) -> Tensor:
    """View as [S, V], values in the order in which they lie in memory, which is as good as any."""
    if activation.is_contiguous():
        return activation.view(samples, -1)
    folded = activation.unflatten(0, (samples, -1))
    order = sorted(range(1, folded.dim()), key=folded.stride, reverse=True)
    return folded.permute(0, *order).flatten(1)
