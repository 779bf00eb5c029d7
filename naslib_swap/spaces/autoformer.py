"""AutoFormer (Chen et al., ICCV 2021, arXiv 2107.00651) and the space of ViTBench-101.

One embedding width, and in each layer a number of heads and the ratio of the feed-forward network's
width to it. ViTBench-101 (Wei et al., AAAI 2024, arXiv 2312.09059) has the choices of AutoFormer's
smallest space in another network, without relative positions and with heads that share the width.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from naslib_swap.spaces.networks import check_sizes, chosen_variant
from naslib_swap.spaces.notation import any_of, plain, read_mapping, unknown_architecture
from naslib_swap.spaces.space import MOST_SIDE, Arch, SearchSpace, Task
from naslib_swap.spaces.vit_networks import (
    HEAD_WIDTH,
    PATCH,
    PLACES,
    SIDE,
    Attention,
    Block,
    RelativeAttention,
    VisionTransformer,
)

_NOTATION = re.compile(r"(\d{1,5})((?:-\d{1,3}h\d{1,3}(?:\.5)?)+)")
_LAYER = re.compile(r"-(\d+)h(\d+)(\.5)?")

# What records of architectures are kept under, and what their fields are called.
_HOLDERS = ("net_setting", "arch", "RETRAIN")
_FIELDS = {
    "width": ("embed_dim", "hidden_dim"),
    "depth": ("layer_num", "depth"),
    "ratios": ("mlp_ratio",),
    "heads": ("num_heads",),
}
_READABLE_RATIOS = (6, 7, 8)
"""AutoFormer's own network of the smallest size has ratios of 3, which its space does not."""


class AutoFormer(SearchSpace):
    """Vision transformers of one width, each layer with heads and a feed-forward ratio of its own.

    An architecture is ``(width, ((heads, ratio), ...))``, with ratios in halves: 7 is 3.5. In the
    space's notation, "192-3h4-4h3.5-...", a layer is its heads, h, and its ratio.

    Parameters
    ----------
    name, title
        The space's name, and what messages call it.
    widths, heads, ratios, depths
        What `sample` chooses from; ratios in halves.
    supernet
        The width of the supernet that holds all these networks, as its authors configure it.
    example
        An architecture.
    tasks
        The tasks.
    """

    epsilon = 1e-5
    gradient_interval = (0.0, 0.1)
    sides = range(PATCH, MOST_SIDE, PATCH)

    def __init__(
        self,
        name: str,
        title: str,
        *,
        widths: tuple[int, ...],
        heads: tuple[int, ...],
        ratios: tuple[int, ...],
        depths: tuple[int, ...],
        supernet: int,
        example: str,
        tasks: Mapping[str, Task],
    ) -> None:
        self.name, self.title, self.example, self.tasks = name, title, example, tasks
        self.widths, self.heads, self.ratios, self.depths = widths, heads, ratios, depths
        self.supernet = supernet

    def parse(self, text: str) -> Arch:
        """Read "192-3h4-4h3.5-...", a record of OoD-ViT-NAS or ViTBench-101, or AutoFormer's YAML.

        Records are JSON, or as Python writes them: ``embed_dim`` or ``hidden_dim``, ``layer_num``
        or ``depth``, ``mlp_ratio`` and ``num_heads``, alone or under ``net_setting``, ``arch`` or
        ``RETRAIN``. Ratios of 3 are read everywhere.
        """
        if not isinstance(text, str):
            return self._checked(text)
        arch = _from_notation(text)
        if arch is None:
            arch = _from_record(text)
        if arch is None or self._fault(arch):
            raise self._unknown(text, arch)
        return arch

    def encode(self, arch: Arch) -> str:
        """Write "192-3h4-4h3.5-...": the width, then heads and ratio of each layer."""
        width, layers = self._checked(arch)
        return "-".join([str(width), *(f"{heads}h{_shown(ratio)}" for heads, ratio in layers)])

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw the width, the depth, and each layer, uniformly."""
        width, depth = _one(self.widths, rng), _one(self.depths, rng)
        return width, tuple(self._layer(rng) for _ in range(depth))

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Change the width, the depth, or the heads or the ratio of one layer.

        Each of these is as likely as any other. A deeper network gets random layers at its end, a
        shallower one loses its last.
        """
        width, layers = self._checked(arch)
        gene = int(rng.integers(2 + 2 * len(layers)))
        if gene == 0:
            return _another(width, self.widths, rng), layers
        if gene == 1:
            depth = _another(len(layers), self.depths, rng)
            more = [self._layer(rng) for _ in range(depth - len(layers))]
            return width, (*layers[:depth], *more)
        place, which = divmod(gene - 2, 2)
        heads, ratio = layers[place]
        if which:
            ratio = _another(ratio, self.ratios, rng)
        else:
            heads = _another(heads, self.heads, rng)
        return width, (*layers[:place], (heads, ratio), *layers[place + 1 :])

    def crossover(self, a: Arch, b: Arch, rng: np.random.Generator) -> Arch:
        """Take width, depth and each layer from either parent; a last layer from who has it."""
        parents = self._checked(a), self._checked(b)
        width, depth = (parents[int(i)] for i in rng.integers(2, size=2))
        layers = []
        for place in range(len(depth[1])):
            having = [parent[1] for parent in parents if place < len(parent[1])]
            layers.append(having[int(rng.integers(len(having)))][place])
        return width[0], tuple(layers)

    def described(self, arch: Arch) -> dict[str, Any]:
        """Return the notation, and the part of AutoFormer's YAML that names a network."""
        width, layers = self._checked(arch)
        return {
            "architecture": self.encode(arch),
            "RETRAIN": {
                "EMBED_DIM": width,
                "DEPTH": len(layers),
                "NUM_HEADS": [heads for heads, _ in layers],
                "MLP_RATIO": [ratio / 2 for _, ratio in layers],
            },
        }

    def exported(self, arch: Arch) -> dict[str, str]:
        """Return the file that AutoFormer's own code reads to train the network alone.

        It is that of ``--cfg``: the supernet that contains the space, the space, and the network.
        """
        import yaml

        content = {
            "SUPERNET": {
                "MLP_RATIO": max(self.ratios) / 2,
                "NUM_HEADS": max(self.heads),
                "EMBED_DIM": self.supernet,
                "DEPTH": max(self.depths),
            },
            "SEARCH_SPACE": {
                "MLP_RATIO": [ratio / 2 for ratio in self.ratios],
                "NUM_HEADS": list(self.heads),
                "DEPTH": list(self.depths),
                "EMBED_DIM": list(self.widths),
            },
            "RETRAIN": self.described(arch)["RETRAIN"],
        }
        return {"autoformer.yaml": yaml.safe_dump(content, sort_keys=False)}

    def layers(self, arch: Arch) -> list[tuple[int, int, int]]:
        """List each layer's width, heads and width of its feed-forward network."""
        width, layers = self._checked(arch)
        return [(width, heads, width * ratio // 2) for heads, ratio in layers]

    def depth(self, arch: Arch) -> int:
        """Patches, head, and four linear layers in each layer."""
        return 2 + 4 * len(self._checked(arch)[1])

    def build(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> nn.Module:
        """Build the network for square images [S, in_channels, H, H], H a multiple of 16."""
        chosen_variant(variant, self.variants, self.name)
        check_sizes(num_classes, in_channels)
        layers = self.layers(arch)
        return VisionTransformer(
            [
                Block(self._attention(width, heads), width, hidden, self.epsilon)
                for width, heads, hidden in layers
            ],
            layers[0][0],
            num_classes=num_classes,
            in_channels=in_channels,
            epsilon=self.epsilon,
        )

    def parameters(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> int:
        """Count the parameters, at whatever resolution."""
        chosen_variant(variant, self.variants, self.name)
        check_sizes(num_classes, in_channels)
        layers = self.layers(arch)
        width = layers[0][0]
        total = (PATCH**2 * in_channels + 1) * width + (SIDE**2 + 2) * width + 2 * width
        total += (width + 1) * num_classes
        for _, heads, hidden in layers:
            total += 4 * width + self._attention_parameters(width, heads)
            total += 2 * width * hidden + hidden + width
        return total

    def multiply_accumulates(
        self,
        arch: Arch,
        input_shape: tuple[int, ...],
        *,
        variant: str | None = None,
        num_classes: int = 10,
    ) -> int:
        """Count those of one image: of patches, head, and the products of each layer."""
        channels, side = input_shape[0], input_shape[-1] // PATCH
        layers, tokens = self.layers(arch), side**2 + 1
        width = layers[0][0]
        total = PATCH**2 * channels * width * side**2 + width * num_classes
        for _, heads, hidden in layers:
            total += self._attention_products(tokens, width, heads) + 2 * tokens * width * hidden
        return total

    def _attention(self, width: int, heads: int) -> nn.Module:
        return RelativeAttention(width, heads)

    def _attention_products(self, tokens: int, width: int, heads: int) -> int:
        # Queries meet keys and positions of keys; shares meet values and positions of values.
        inner = HEAD_WIDTH * heads
        return 4 * tokens * inner * width + 4 * tokens**2 * inner

    def _attention_parameters(self, width: int, heads: int) -> int:
        inner = HEAD_WIDTH * heads
        return 3 * inner * (width + 1) + (inner + 1) * width + 4 * PLACES * HEAD_WIDTH

    def _layer(self, rng: np.random.Generator) -> tuple[int, int]:
        return _one(self.heads, rng), _one(self.ratios, rng)

    def _checked(self, arch: Arch) -> Arch:
        arch = plain(arch)
        if not _is_shaped(arch) or self._fault(arch):
            raise self._unknown(arch, arch if _is_shaped(arch) else None)
        return arch

    def _fault(self, arch: Arch) -> str:
        """Say what of an architecture is expected to be otherwise; empty where nothing is."""
        width, layers = arch
        if width not in self.widths:
            return f"a width of {any_of(self.widths)} instead of {width}"
        if len(layers) not in self.depths:
            return f"{any_of(self.depths)} layers instead of {len(layers)}"
        for heads, ratio in layers:
            if heads not in self.heads:
                return f"{any_of(self.heads)} heads instead of {heads}"
            if ratio not in {*self.ratios, *_READABLE_RATIOS}:
                return f"a ratio of {any_of(map(_shown, self.ratios))} instead of {_shown(ratio)}"
        return ""

    def _unknown(self, text: object, arch: Arch | None) -> Exception:
        fault = None if arch is None else self._fault(arch)
        expected = fault or (
            f"a width of {any_of(self.widths)}, then for each of {any_of(self.depths)} layers "
            "its heads, h, and its feed-forward ratio; or a record of embed_dim, layer_num, "
            "num_heads and mlp_ratio, one for each layer"
        )
        return unknown_architecture(text, self.title, expected, self.example)


class VitBench(AutoFormer):
    """ViTBench-101's network: heads share the width, so that their number costs no parameters."""

    epsilon = 1e-6

    def exported(self, arch: Arch) -> dict[str, str]:
        """Return none: ViTBench-101's network is not AutoFormer's."""
        return {}

    def _attention(self, width: int, heads: int) -> nn.Module:
        return Attention(width, heads, width // heads)

    def _attention_products(self, tokens: int, width: int, heads: int) -> int:
        inner = width // heads * heads
        return 4 * tokens * inner * width + 2 * tokens**2 * inner

    def _attention_parameters(self, width: int, heads: int) -> int:
        return 3 * width * (width + 1) + (width + 1) * width


def _example(width: int, heads: int, last: int, depth: int) -> str:
    """Write an architecture that is as wide as long: all layers alike but the last."""
    return "-".join([str(width), *[f"{heads}h3.5"] * (depth - 1), f"{last}h4"])


_IMAGENET = {"imagenet": Task((3, 224, 224), 1000, accuracies="ood-vit-nas")}
_TINY: dict[str, Any] = {
    "widths": (192, 216, 240),
    "heads": (3, 4),
    "ratios": (7, 8),
    "depths": (12, 13, 14),
    "supernet": 256,
    "example": _example(192, 3, 4, 12),
}

BENCH_TASKS = {
    name: Task((3, 224, 224), classes, accuracies="vitbench")
    for name, classes in (("cifar100", 100), ("flowers", 102), ("chaoyang", 4))
}
"""The tasks of ViTBench-101, all with images of 224 pixels."""

SPACE = (
    AutoFormer("autoformer_tiny", "AutoFormer-T", tasks=_IMAGENET, **_TINY),
    AutoFormer(
        "autoformer_small",
        "AutoFormer-S",
        widths=(320, 384, 448),
        heads=(5, 6, 7),
        ratios=(6, 7, 8),
        depths=(12, 13, 14),
        supernet=448,
        example=_example(320, 5, 6, 12),
        tasks=_IMAGENET,
    ),
    AutoFormer(
        "autoformer_base",
        "AutoFormer-B",
        widths=(528, 576, 624),
        heads=(9, 10),
        ratios=(6, 7, 8),
        depths=(14, 15, 16),
        supernet=640,
        example=_example(528, 9, 10, 14),
        tasks=_IMAGENET,
    ),
    VitBench("vitbench_autoformer", "ViTBench-101 AutoFormer", tasks=BENCH_TASKS, **_TINY),
)


def published_flops(layers: Sequence[tuple[int, int, int]], *, num_classes: int = 1000) -> float:
    """Count FLOPs as AutoFormer's own code does, for images of 224 pixels.

    Other than the proxy ``flops``, that count adds softmax and normalisation, and takes relative
    positions as sums instead of products. OoD-ViT-NAS stores it.

    Parameters
    ----------
    layers
        Width, heads and width of the feed-forward network of each layer: `AutoFormer.layers`.
    num_classes
        Outputs of the network.

    Returns
    -------
    float
        FLOPs of one image; equal to those of all 3,003 records of OoD-ViT-NAS.

    Examples
    --------
    >>> from naslib_swap import spaces
    >>> space = spaces.get("autoformer_tiny")
    >>> published_flops(space.layers(space.parse("192-" + "-".join(["3h4"] * 12)))) / 1e6
    1313.011128
    """
    width, places = layers[0][0], SIDE**2
    tokens = places + 2  # theirs adds one for the class token twice
    total = width + 3 * PATCH**2 * places * width + (tokens - 1) / 2 * width
    total += (tokens - 1) * width * num_classes
    for _, heads, hidden in layers:
        inner = HEAD_WIDTH * heads
        total += 2 * tokens * width  # both norm layers
        total += 4 * tokens * inner * width + 2 * tokens * width * hidden
        total += 2 * tokens**2 * inner + 28 * tokens**2 + tokens**2 / 2 + tokens * inner / 2
    return total


def _from_notation(text: object) -> Arch | None:
    match = _NOTATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    layers = _LAYER.findall(match[2])
    return int(match[1]), tuple((int(h), 2 * int(r) + bool(half)) for h, r, half in layers)


def _from_record(text: object) -> Arch | None:
    try:
        record: Any = read_mapping(text)
    except ValueError:
        return None
    for holder in _HOLDERS:
        record = record[holder] if isinstance(record, dict) and holder in record else record
    if not isinstance(record, dict):
        return None
    lower = {str(name).lower(): value for name, value in record.items()}
    found = {
        field: next((lower[name] for name in names if name in lower), None)
        for field, names in _FIELDS.items()
    }
    width, depth, ratios, heads = found["width"], found["depth"], found["ratios"], found["heads"]
    if isinstance(width, list) and len(width) == depth and width.count(width[0]) == depth:
        width = width[0]
    if not (isinstance(ratios, list) and isinstance(heads, list)):
        return None
    if not len(ratios) == len(heads) == depth or not all(map(_is_number, ratios)):
        return None
    arch = (width, tuple((h, int(2 * r)) for h, r in zip(heads, ratios)))
    halves = all(2 * r == int(2 * r) for r in ratios)
    return arch if halves and _is_shaped(arch) else None


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and 0 < float(str(value)) < 100


def _is_shaped(arch: object) -> bool:
    """Tell whether it is (int, ((int, int), ...))."""
    return (
        isinstance(arch, tuple)
        and len(arch) == 2
        and type(arch[0]) is int
        and isinstance(arch[1], tuple)
        and all(
            isinstance(layer, tuple) and len(layer) == 2 and all(type(n) is int for n in layer)
            for layer in arch[1]
        )
    )


def _one(choices: tuple[int, ...], rng: np.random.Generator) -> int:
    return choices[int(rng.integers(len(choices)))]


def _another(value: int, choices: tuple[int, ...], rng: np.random.Generator) -> int:
    return _one(tuple(choice for choice in choices if choice != value), rng)


def _shown(ratio: int) -> str:
    return f"{ratio / 2:g}"
