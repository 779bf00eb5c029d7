"""Which rows of an activation belong to which sample, found by changing samples.

Some samples are replaced by others, and the network runs again: the rows of the samples that were
left alone must not move. What moved is compared as sums of bits along each dimension of each
activation, so that a few numbers of each are kept.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from naslib_swap.activations import Kind, Rewrite
from naslib_swap.errors import Unscorable


@dataclass(frozen=True)
class Place:
    """Where the samples are in an activation.

    Attributes
    ----------
    axis, outer
        Dimension ``axis`` is [outer, S, inner], flattened.
    sample, number
        Or the whole activation belongs to one sample, whose ``number``-th such call it is.
    """

    axis: int = 0
    outer: int = 1
    sample: Optional[int] = None
    number: int = 0


FIRST = Place()
_BLOCK = 1 << 16  # values whose bits are made at a time
_LEAVE_OUT = (
    "activations=DEFAULT_ACTIVATIONS.with_module('ITS CLASS', Kind('experts', recorded=False))"
)
# One entry a recorded call, in order; None: holds no samples.
Layout = Sequence[Optional[Place]]


class Arranger:
    """Turns activations of one forward pass, as they come, into rows of samples.

    Without a layout, samples are taken to come first, each with as many rows as fit.
    """

    def __init__(self, samples: int, layout: Layout | None = None) -> None:
        self._samples = samples
        self._layout = layout
        self._waiting: dict[int, dict[int, Tensor]] = {}
        self.shapes: list[tuple[int, ...]] = []  # of all activations so far

    def arrange(self, output: Any) -> tuple[Tensor | None, str | None]:
        """Return ([S, ...], how in words); (None, None) where there are no rows of samples.

        What belongs to one sample alone waits for the other samples' calls: (None, how).
        """
        place = self._place(output)
        self.shapes.append(tuple(output.shape) if isinstance(output, Tensor) else ())
        if place is None:
            return None, None
        if place.sample is not None:
            return self._held(output, place), "one call per sample"
        size = output.shape[place.axis]
        rows = size // self._samples
        if place is FIRST or place == FIRST:
            return output, "" if rows == 1 else f"{rows} rows per sample"
        inner = rows // place.outer
        split = output.unflatten(place.axis, (place.outer, self._samples, inner))
        how = f"{rows} rows per sample, apart" if rows > 1 else ""
        if place.axis:
            how = f"samples along dimension {place.axis}"
        return split.movedim(place.axis + 1, 0), how

    def _place(self, output: Any) -> Place | None:
        if not isinstance(output, Tensor) or not output.dim() or not output.numel():
            return None
        if self._layout is not None and len(self.shapes) < len(self._layout):
            return self._layout[len(self.shapes)]
        return FIRST if output.shape[0] % self._samples == 0 else None

    def _held(self, output: Tensor, place: Place) -> Tensor | None:
        calls = self._waiting.setdefault(place.number, {})
        assert place.sample is not None
        calls[place.sample] = output.clone()
        if len(calls) < self._samples:
            return None
        del self._waiting[place.number]
        return torch.stack([calls[sample] for sample in range(self._samples)])


@dataclass
class Traces:
    """What one forward pass showed: of each recorded call, its shape and sums of its bits."""

    shapes: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    sums: list[list[Tensor]] = field(default_factory=list)

    def equals(self, other: Traces) -> bool:
        """Whether another pass showed the same."""
        return self.shapes == other.shapes and all(
            torch.equal(a, b) for one, two in zip(self.sums, other.sums) for a, b in zip(one, two)
        )

    def take(self, output: Any, kind: Kind) -> bool:
        """Take in one activation."""
        found = output if isinstance(output, Tensor) else torch.empty(0)
        self.shapes.append((kind.name, tuple(found.shape)))
        self.sums.append(_sums(found.detach()) if found.dim() else [])
        return True


def _sums(values: Tensor) -> list[Tensor]:
    """Sums of bits along each dimension, a block at a time: bits take six times the memory."""
    rows = max(1, _BLOCK * len(values) // max(1, values.numel()))
    axes = range(values.dim())
    found: list[list[Tensor]] = [[] for _ in axes]
    for block in values.split(rows):
        bits = _bits(block)
        for axis in axes:
            others = [k for k in axes if k != axis]
            found[axis].append(bits.sum(dim=others) if others else bits)
    return [torch.cat(found[0]), *(torch.stack(parts).sum(0) for parts in found[1:])]


def _bits(values: Tensor) -> Tensor:
    """Integers that differ where values do; 0 where they are."""
    values = values + 0.0 if values.is_floating_point() else values.long()  # no negative zeros
    sizes = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    integers = values.contiguous().view(sizes[values.element_size()]).long()
    # Not the bits alone: changes of two values would often cancel in a sum.
    return integers * (integers >> 3 | 1)


def changed(value: Any, samples: int, sources: Tensor) -> Any:
    """Inputs in which sample i is that of ``sources[i]``; what has no S rows stays."""
    if isinstance(value, Tensor):
        if value.dim() and value.shape[0] == samples:
            return value[sources.to(value.device)]
        return value
    if isinstance(value, dict):
        return {key: changed(item, samples, sources) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(changed(item, samples, sources) for item in value)
    return value


class FrozenStatistics:
    """Batch normalisation by the statistics of the first pass, so that samples do not meet in it.

    Running statistics would not do: those of a new network are far from its values, which can
    vanish.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[Tensor, Tensor]] = []
        self._calls = 0
        self.rewrites: dict[Any, Rewrite] = {F.batch_norm: self._call, torch.batch_norm: self._call}

    def start(self) -> None:
        """Begin a pass."""
        self._calls = 0

    def _call(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        names = ("input", "running_mean", "running_var", "weight", "bias", "training")
        given = {**dict(zip(names, args)), **kwargs}
        x, training = given["input"], given.get("training", False)
        if not training:
            return func(*args, **kwargs)
        if self._calls == len(self._kept):
            others = [axis for axis in range(x.dim()) if axis != 1]
            self._kept.append((x.mean(others), x.var(others, unbiased=False)))
        mean, var = self._kept[self._calls]
        self._calls += 1
        return F.batch_norm(x, mean, var, given.get("weight"), given.get("bias"), False)


def find_layout(run: Callable[[Tensor], Traces], samples: int, name: str) -> Layout | None:
    """Find whose rows are whose.

    Parameters
    ----------
    run
        Runs the network with sample i replaced by the sample that the given indices name, each
        time with the same random numbers and without anything in which samples meet.
    samples
        S.
    name
        Of the network, for messages.

    Returns
    -------
    Layout or None
        None where no change of the inputs moved anything: nothing can be told then.

    Raises
    ------
    Unscorable
        Rows depend on several samples, or come and go with the samples' content.
    """
    everyone = torch.arange(samples)
    before = run(everyone)

    def moved_by(group: Tensor) -> list[list[Tensor]]:
        after = run(torch.where(group, (everyone + 1) % samples, everyone))
        if after.shapes != before.shapes:
            raise Unscorable(
                f"activations of {name} change in number or shape with what the samples hold "
                "(experts that tokens are sent to, for instance), so that rows cannot be told "
                f"apart; expected the same for all inputs. Leave that part out with {_LEAVE_OUT}."
            )
        return [
            [(a != b).cpu() for a, b in zip(one, other)]
            for one, other in zip(before.sums, after.sums)
        ]

    half = _irregular_half(samples)
    groups = (half, ~half)
    moves = [moved_by(group) for group in groups]
    if not any(bool(mask.any()) for move in moves for masks in move for mask in masks):
        return None
    layout: list[Place | None] = []
    unknown: list[int] = []
    for call, (_, shape) in enumerate(before.shapes):
        masks = [move[call] for move in moves]
        if not any(bool(mask.any()) for each in masks for mask in each):
            layout.append(FIRST if _alike(before.sums[call], samples) else None)
            continue
        fitting = (
            p for p in _candidates(shape, samples) if _fits(p, shape, samples, masks, groups)
        )
        place = next(fitting, None)
        if place is None:
            unknown.append(call)
        layout.append(place)
    if unknown:
        for call, place in zip(unknown, _by_owner(unknown, before, moved_by, samples, name)):
            layout[call] = place
    return layout


def _alike(sums: Sequence[Tensor], samples: int) -> bool:
    """Whether what no input moves can be rows of samples: the same for each, as what is dead is."""
    if not sums or len(sums[0]) % samples:
        return False
    by_sample = sums[0].reshape(samples, -1)
    return by_sample.shape[1] == 1 or bool((by_sample == by_sample[0]).all())


def _irregular_half(samples: int) -> Tensor:
    """A fixed half of the samples that no regular arrangement maps to itself."""
    chosen = random.Random(0).sample(range(samples), samples // 2)
    half = torch.zeros(samples, dtype=torch.bool)
    half[chosen] = True
    return half


def _candidates(shape: tuple[int, ...], samples: int) -> Iterator[Place]:
    """All places of samples in an activation, the usual ones first."""
    for axis, size in enumerate(shape):
        rows, rest = divmod(size, samples)
        if rest or not rows:
            continue
        divisors = [n for n in range(2, rows) if rows % n == 0]
        for outer in dict.fromkeys((1, rows, *divisors)):
            yield Place(axis, outer)


def _fits(
    place: Place,
    shape: tuple[int, ...],
    samples: int,
    masks: Sequence[Sequence[Tensor]],
    groups: Sequence[Tensor],
) -> bool:
    """Whether only rows of changed samples moved."""
    size = shape[place.axis]
    inner = size // (samples * place.outer)
    owners = torch.arange(size) // inner % samples
    return not any(
        bool((moved[place.axis] & ~group[owners]).any()) for moved, group in zip(masks, groups)
    )


def _by_owner(
    calls: Sequence[int],
    before: Traces,
    moved_by: Callable[[Tensor], list[list[Tensor]]],
    samples: int,
    name: str,
) -> list[Place]:
    """Places of calls that belong to one sample each, whose number their moves spell in binary."""
    everyone = torch.arange(samples)
    owners = dict.fromkeys(calls, 0)
    for bit in range((samples - 1).bit_length()):
        group = (everyone >> bit & 1).bool()
        with_bit, without = moved_by(group), moved_by(~group)
        for call in calls:
            ones, zeros = (any(bool(m.any()) for m in move[call]) for move in (with_bit, without))
            if ones == zeros:
                raise _mixed(before.shapes[call], samples, name)
            owners[call] |= ones << bit
    sequences: dict[int, list[int]] = {sample: [] for sample in range(samples)}
    for call, sample in owners.items():
        sequences.get(sample, []).append(call)
    alike = {tuple(before.shapes[call] for call in sequence) for sequence in sequences.values()}
    if len(alike) > 1:
        raise _mixed(before.shapes[calls[0]], samples, name)
    numbers = {call: n for sequence in sequences.values() for n, call in enumerate(sequence)}
    return [Place(sample=owners[call], number=numbers[call]) for call in calls]


def _mixed(seen: tuple[str, tuple[int, ...]], samples: int, name: str) -> Unscorable:
    kind, shape = seen
    return Unscorable(
        f"rows of a {kind} of {name}, of shape {list(shape)}, change with several of the {samples} "
        "samples; expected rows that belong to one sample each. Check that the inputs have samples "
        "along dimension 0: one image is [1, C, H, W], and layers without batch_first take "
        "[T, S, C]. Where rows are sorted by content, as for experts, leave that part out with "
        f"{_LEAVE_OUT}; where samples are meant to meet, pass check_rows=False."
    )
