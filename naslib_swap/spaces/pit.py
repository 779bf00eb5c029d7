"""PiT (Heo et al., ICCV 2021, arXiv 2103.16302) as ViTBench-101 varies it (arXiv 2312.09059)."""

from __future__ import annotations

import re
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from torch import nn

from naslib_swap.spaces.autoformer import BENCH_TASKS
from naslib_swap.spaces.networks import check_sizes, chosen_variant
from naslib_swap.spaces.notation import any_of, plain, read_mapping, unknown_architecture
from naslib_swap.spaces.space import MOST_SIDE, Arch, SearchSpace
from naslib_swap.spaces.vit_networks import (
    PATCH,
    PIT_SIDE,
    PIT_STRIDE,
    Attention,
    Block,
    Pit,
    Pooling,
)

BASES = (16, 24, 32, 40)
RATIOS = (2, 4, 6, 8)
DEPTHS = ((1, 2, 3), (4, 6, 8), (2, 4, 6))
"""Layers of the first, second and third stage."""

HEADS = tuple(combinations_with_replacement((2, 4, 8), 3))
"""Heads of the three stages: a stage's width is a multiple of the one before."""

_GENES = (BASES, RATIOS, *DEPTHS, HEADS)
_NAMES = ("a base width", "a ratio", "a depth", "a second depth", "a third depth")
_EPSILON = 1e-6
_NOTATION = re.compile(r"(\d{1,4})r(\d{1,4})" + r"-(\d{1,4})x(\d{1,4})h" * 3)


class PitSpace(SearchSpace):
    """Three stages of transformer layers with pooling between them.

    An architecture is ``(base, ratio, first, second, third, heads)``: the width of a head, the
    feed-forward ratio, the layers of each stage, and the heads of the three stages, which never
    become fewer.
    """

    name = "pit"
    example = "16r6-2x2h-8x4h-4x4h"
    tasks = BENCH_TASKS
    gradient_interval = (0.6, 1.0)
    sides = range(PATCH, MOST_SIDE, PIT_STRIDE)

    def parse(self, text: str) -> Arch:
        """Read "16r6-2x2h-8x4h-4x4h", or a record of ViTBench-101.

        The notation is the base width, r, the ratio; then, for each stage, its layers, x, its
        heads, h. A record is JSON, or as Python writes it: ``base_dim``, ``mlp_ratio``, ``depth``
        and ``num_heads``, alone or under ``arch``.
        """
        if not isinstance(text, str):
            return _checked(text)
        arch = _from_notation(text) or _from_record(text)
        return _checked(arch, text)

    def encode(self, arch: Arch) -> str:
        """Write "16r6-2x2h-8x4h-4x4h"."""
        base, ratio, *depths, heads = _checked(arch)
        return "-".join([f"{base}r{ratio}", *(f"{d}x{h}h" for d, h in zip(depths, heads))])

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw each gene uniformly."""
        return tuple(choices[int(rng.integers(len(choices)))] for choices in _GENES)

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Change one gene."""
        arch = _checked(arch)
        place = int(rng.integers(len(_GENES)))
        others = [choice for choice in _GENES[place] if choice != arch[place]]
        return (*arch[:place], others[int(rng.integers(len(others)))], *arch[place + 1 :])

    def crossover(self, a: Arch, b: Arch, rng: np.random.Generator) -> Arch:
        """Take each gene from either parent."""
        pairs = zip(_checked(a), _checked(b), rng.integers(2, size=len(_GENES)).tolist())
        return tuple(y if from_b else x for x, y, from_b in pairs)

    def described(self, arch: Arch) -> dict[str, Any]:
        """Return the notation and ViTBench-101's own record."""
        base, ratio, *depths, heads = _checked(arch)
        own = {"base_dim": base, "mlp_ratio": ratio, "depth": depths, "num_heads": list(heads)}
        return {"architecture": self.encode(arch), **own}

    def layers(self, arch: Arch) -> list[tuple[int, int, int]]:
        """List each layer's width, heads and width of its feed-forward network."""
        base, ratio, *depths, heads = _checked(arch)
        stages = zip(depths, heads)
        return [(base * h, h, base * h * ratio) for depth, h in stages for _ in range(depth)]

    def depth(self, arch: Arch) -> int:
        """Patches, two poolings, head, and four linear layers in each layer."""
        return 4 + 4 * sum(_checked(arch)[2:5])

    def build(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> nn.Module:
        """Build the network for square images [S, in_channels, H, H], H a multiple of 8."""
        chosen_variant(variant, self.variants, self.name)
        check_sizes(num_classes, in_channels)
        base, ratio, *depths, heads = _checked(arch)
        widths = [base * h for h in heads]
        blocks: list[nn.Module] = []
        for stage, (layers, h, width) in enumerate(zip(depths, heads, widths)):
            if stage:
                blocks.append(Pooling(widths[stage - 1], width))
            blocks += [
                Block(Attention(width, h, base), width, width * ratio, _EPSILON)
                for _ in range(layers)
            ]
        return Pit(
            blocks,
            widths[0],
            widths[-1],
            num_classes=num_classes,
            in_channels=in_channels,
            epsilon=_EPSILON,
        )

    def parameters(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> int:
        """Count the parameters, at whatever resolution."""
        chosen_variant(variant, self.variants, self.name)
        check_sizes(num_classes, in_channels)
        base, ratio, *depths, heads = _checked(arch)
        widths = [base * h for h in heads]
        first, last = widths[0], widths[-1]
        total = (PATCH**2 * in_channels + 1 + PIT_SIDE**2 + 1) * first
        for layers, d in zip(depths, widths):
            hidden = d * ratio
            total += layers * (4 * d + 4 * d * (d + 1) + 2 * d * hidden + hidden + d)
        for before, after in zip(widths, widths[1:]):
            total += 10 * after + after * (before + 1)
        return total + 2 * last + (last + 1) * num_classes


SPACE = PitSpace()


def _unknown(text: object, arch: Arch | None) -> Exception:
    expected = _fault(arch) if arch is not None and _is_shaped(arch) else ""
    expected = expected or (
        "a base width, r, a ratio, then for three stages their layers, x, and their heads, h; or a "
        "record of base_dim, mlp_ratio, depth and num_heads"
    )
    return unknown_architecture(text, "PiT", expected, PitSpace.example)


def _checked(arch: Arch | None, text: object = None) -> Arch:
    arch = plain(arch)
    if not _is_shaped(arch) or _fault(arch):
        raise _unknown(arch if text is None else text, arch)
    return arch


def _fault(arch: Arch) -> str:
    """Say what of an architecture is expected to be otherwise; empty where nothing is."""
    *numbers, heads = arch
    for name, value, choices in zip(_NAMES, numbers, _GENES):
        if value not in choices:
            return f"{name} of {any_of(choices)} instead of {value}"
    if heads not in HEADS:
        return f"2, 4 or 8 heads, never fewer than before, instead of {', '.join(map(str, heads))}"
    return ""


def _is_shaped(arch: object) -> bool:
    return (
        isinstance(arch, tuple)
        and len(arch) == len(_GENES)
        and all(type(value) is int for value in arch[:-1])
        and isinstance(arch[-1], tuple)
        and len(arch[-1]) == len(DEPTHS)
        and all(type(value) is int for value in arch[-1])
    )


def _from_notation(text: object) -> Arch | None:
    match = _NOTATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    base, ratio, *stages = map(int, match.groups())
    return (base, ratio, *stages[::2], tuple(stages[1::2]))


def _from_record(text: object) -> Arch | None:
    try:
        record: Any = read_mapping(text)
    except ValueError:
        return None
    record = record.get("arch", record)
    if not isinstance(record, dict):
        return None
    depths, heads = record.get("depth"), record.get("num_heads")
    if not (isinstance(depths, list) and isinstance(heads, list)):
        return None
    return (record.get("base_dim"), record.get("mlp_ratio"), *depths, tuple(heads))
