"""The two spaces of TransNAS-Bench-101 (Duan et al., CVPR 2021, arXiv 2105.11871).

Micro: cells of four nodes and six edges, with four operations, in a fixed backbone. Macro: the
backbone itself, four to six layers of residual blocks that widen or shrink the feature maps.
Notations: NASLib's tuples of six ints, and the benchmark's strings, "64-41414-1_02_333" and
"64-1234-basic".
"""

from __future__ import annotations

import re

import numpy as np
from torch import nn

from naslib_swap.spaces.networks import check_sizes, chosen_variant
from naslib_swap.spaces.notation import is_index_tuple, plain, read_literal, unknown_architecture
from naslib_swap.spaces.space import Arch, SearchSpace, Task
from naslib_swap.spaces.transbench101_networks import (
    head_parameters,
    macro_depth,
    macro_encoder,
    macro_parameters,
    micro_depth,
    micro_encoder,
    micro_parameters,
    with_head,
)

_TRUTH = "suite-zero"
_PIXELS = 64
"""Height and width at which networks are scored: the 256 pixels of the benchmark cost 16 times as
much and reach the bound of SWAP-Score."""

TASKS = {
    "class_scene": Task((3, 256, 256), 63, "class_scene", "class", _PIXELS, _TRUTH),
    "class_object": Task((3, 256, 256), 100, "class_object", "class", _PIXELS, _TRUTH),
    "jigsaw": Task((9, 3, 64, 64), 1000, "jigsaw", "class", 0, _TRUTH),
    "room_layout": Task((3, 256, 256), 9, "room_layout", "values", _PIXELS, _TRUTH),
    "segmentsemantic": Task((3, 256, 256), 17, "segmentsemantic", "class map", _PIXELS, _TRUTH),
    "normal": Task((3, 256, 256), 3, "normal", "image", _PIXELS, _TRUTH),
    "autoencoder": Task((3, 256, 256), 3, "autoencoder", "image", _PIXELS, _TRUTH),
}
"""The seven tasks, with the class counts of the networks that NASLib builds. Each has its own
head, so these are the variants of the spaces."""

ENCODERS = {
    "class_scene": "linear head",
    "class_object": "linear head",
    "room_layout": "linear head",
    "normal": "image decoder",
    "autoencoder": "image decoder",
}
"""Networks that differ in their last layer alone. Decoders have LeakyReLUs, which count: an encoder
under another head has another score. Jigsaw's runs on nine tiles."""

MICRO_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
"""Operation names of the micro space; their positions are the benchmark's digits."""

_CODE = 6
_MICRO_STRING = re.compile(r"64-41414-([0-3])_([0-3])([0-3])_([0-3])([0-3])([0-3])")
_MACRO_STRING = re.compile(r"64-([1-4]{4,6})-basic")
_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


class TransBench101Micro(SearchSpace):
    """Cells: a tuple of six ints in 0..3, the operations on the edges 0→1, 0→2, 1→2, 0→3, 1→3, 2→3.

    `sample`, `mutate` and `crossover` give cells whose input reaches their output; `parse` accepts
    all 4096. Variants are the tasks.
    """

    name = "transbench101_micro"
    variants = tuple(TASKS)
    tasks = TASKS
    suite_zero = "zc-transbench101-micro"
    encoders = ENCODERS
    gradient_interval = (0.0, 0.1)
    example = "(1, 0, 2, 3, 3, 3)"

    def parse(self, text: str) -> Arch:
        """Read "(1, 0, 2, 3, 3, 3)" or "64-41414-1_02_333"."""
        if not isinstance(text, str):
            return self._checked(text)
        match = _MICRO_STRING.fullmatch(text.strip())
        arch = tuple(int(digit) for digit in match.groups()) if match else _ints(text)
        if not is_index_tuple(arch, _CODE, len(MICRO_OPERATIONS)):
            raise unknown_architecture(
                text,
                "TransNAS-Bench-101 micro",
                f"six operations in 0..3 ({', '.join(MICRO_OPERATIONS)})",
                f"{self.example} or 64-41414-1_02_333",
            )
        return tuple(arch)

    def encode(self, arch: Arch) -> str:
        """Write the tuple of six ints."""
        return str(self._checked(arch))

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw uniformly from the cells whose input reaches the output."""
        while True:
            arch = tuple(rng.integers(len(MICRO_OPERATIONS), size=_CODE).tolist())
            if _is_connected(arch):
                return arch

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Change the operation on one edge."""
        arch = self._checked(arch)
        while True:
            edge, step = int(rng.integers(_CODE)), int(rng.integers(1, len(MICRO_OPERATIONS)))
            child = list(arch)
            child[edge] = (arch[edge] + step) % len(MICRO_OPERATIONS)
            if _is_connected(tuple(child)):
                return tuple(child)

    def crossover(self, a: Arch, b: Arch, rng: np.random.Generator) -> Arch:
        """Take each edge from either parent (uniform crossover)."""
        a, b = self._checked(a), self._checked(b)
        for mask in rng.permutation(2**_CODE).tolist():
            child = tuple(b[i] if mask >> i & 1 else a[i] for i in range(_CODE))
            if _is_connected(child):
                return child
        return a

    def canonical(self, arch: Arch) -> Arch:
        """Return the smaller of two: without an edge 1→2, nodes 1 and 2 can change places."""
        first, second, between, third, fourth, fifth = self._checked(arch)
        return arch if between else min(arch, (second, first, between, third, fifth, fourth))

    def depth(self, arch: Arch) -> int:
        """Weighted layers on the longest path of the encoder and a linear head."""
        return micro_depth(self._checked(arch)) + 1

    def build(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> nn.Module:
        """Build the network of a task; `num_classes` counts its outputs or output channels.

        The network maps [S, in_channels, H, W] ([S, 9, in_channels, H, W] for jigsaw) to
        [S, num_classes], or to images [S, num_classes, H', W'] for the tasks with a decoder.
        """
        task = chosen_variant(variant, self.variants, self.name)
        check_sizes(num_classes, in_channels)
        encoder = micro_encoder(self._checked(arch), in_channels)
        return with_head(encoder, task, None, num_classes)

    def parameters(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> int:
        """Count the parameters of the network of a task, without a discriminator."""
        task = chosen_variant(variant, self.variants, self.name)
        check_sizes(num_classes, in_channels)
        encoder = micro_parameters(self._checked(arch), in_channels)
        return encoder + head_parameters(task, None, num_classes)

    def _checked(self, arch: Arch) -> Arch:
        arch = plain(arch)
        if not is_index_tuple(arch, _CODE, len(MICRO_OPERATIONS)):
            raise unknown_architecture(
                arch, "TransNAS-Bench-101 micro", "a tuple of six ints in 0..3", self.example
            )
        return arch


class TransBench101Macro(SearchSpace):
    """Backbones: four to six layer codes, filled up with zeros to six.

    Codes: 1 keeps the size, 2 doubles the channels, 3 halves the resolution, 4 does both. One to
    four layers halve the resolution, one to three double the channels. Variants are the tasks.
    """

    name = "transbench101_macro"
    variants = tuple(TASKS)
    tasks = TASKS
    suite_zero = "zc-transbench101-macro"
    encoders = ENCODERS
    gradient_interval = (0.0, 0.1)
    example = "(1, 2, 3, 4, 0, 0)"

    def parse(self, text: str) -> Arch:
        """Read "(1, 2, 3, 4, 0, 0)" or "64-1234-basic"."""
        if not isinstance(text, str):
            return self._checked(text)
        match = _MACRO_STRING.fullmatch(text.strip())
        arch = _padded([int(digit) for digit in match[1]]) if match else _ints(text)
        if not _is_backbone(arch):
            raise unknown_architecture(
                text, "TransNAS-Bench-101 macro", _BACKBONES, f"{self.example} or 64-1234-basic"
            )
        return tuple(arch)

    def encode(self, arch: Arch) -> str:
        """Write the tuple of six ints."""
        return str(self._checked(arch))

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw the numbers of layers, of halvings and of doublings, and shuffle the latter two."""
        layers = int(rng.integers(4, 7))
        halving = rng.permutation(layers) < rng.integers(1, 5)
        doubling = rng.permutation(layers) < rng.integers(1, 4)
        return _padded((1 + 2 * halving + doubling).tolist())

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Change, insert or remove one layer."""
        codes = _layers(self._checked(arch))
        others: set[Arch] = set()
        for place in range(len(codes) + 1):
            for code in (1, 2, 3, 4):
                others.add((*codes[:place], code, *codes[place:]))
                others.add((*codes[:place], code, *codes[place + 1 :]))
            others.add(codes[:place] + codes[place + 1 :])
        valid = sorted(
            child
            for child in (_padded(list(other)) for other in others if 4 <= len(other) <= _CODE)
            if child != arch and _is_backbone(child)
        )
        return valid[int(rng.integers(len(valid)))]

    def crossover(self, a: Arch, b: Arch, rng: np.random.Generator) -> Arch:
        """Take the number of layers, and each layer, from either parent."""
        a, b = self._checked(a), self._checked(b)
        for _ in range(100):
            length = len(_layers((a, b)[int(rng.integers(2))]))
            pairs = zip(a, b, rng.integers(2, size=_CODE).tolist())
            codes = [(y or x) if from_b else (x or y) for x, y, from_b in pairs]
            child = _padded(codes[:length])
            if _is_backbone(child):
                return child
        return a

    def depth(self, arch: Arch) -> int:
        """Weighted layers on the longest path of the encoder and a linear head."""
        return macro_depth(_layers(self._checked(arch))) + 1

    def build(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> nn.Module:
        """Build the network of a task; shapes are those of the micro space's networks."""
        task = chosen_variant(variant, self.variants, self.name)
        check_sizes(num_classes, in_channels)
        codes = _layers(self._checked(arch))
        return with_head(macro_encoder(codes, in_channels), task, codes, num_classes)

    def parameters(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> int:
        """Count the parameters of the network of a task, without a discriminator."""
        task = chosen_variant(variant, self.variants, self.name)
        check_sizes(num_classes, in_channels)
        codes = _layers(self._checked(arch))
        return macro_parameters(codes, in_channels) + head_parameters(task, codes, num_classes)

    def _checked(self, arch: Arch) -> Arch:
        arch = plain(arch)
        if not _is_backbone(arch):
            raise unknown_architecture(arch, "TransNAS-Bench-101 macro", _BACKBONES, self.example)
        return arch


SPACE = (TransBench101Micro(), TransBench101Macro())

_BACKBONES = (
    "four to six layers in 1..4, then zeros up to six numbers; one to four layers in {3, 4}, "
    "one to three in {2, 4}"
)


def _ints(text: object) -> Arch:
    try:
        value = read_literal(text)
    except ValueError:
        return ()
    return value if isinstance(value, tuple) else ()


def _is_connected(arch: Arch) -> bool:
    reached = {0}
    for (start, end), operation in sorted(zip(_EDGES, arch)):
        if operation and start in reached:
            reached.add(end)
    return 3 in reached


def _is_backbone(arch: object) -> bool:
    if not (isinstance(arch, tuple) and is_index_tuple(arch, _CODE, 5)):
        return False
    codes = _layers(arch)
    return (
        len(codes) >= 4
        and arch == _padded(list(codes))
        and 1 <= sum(code in (3, 4) for code in codes) <= 4
        and 1 <= sum(code in (2, 4) for code in codes) <= 3
    )


def _layers(arch: Arch) -> tuple[int, ...]:
    return tuple(code for code in arch if code)


def _padded(codes: list[int]) -> Arch:
    return (*codes, *[0] * (_CODE - len(codes)))
