"""Networks of TransNAS-Bench-101 (Duan et al., CVPR 2021, arXiv 2105.11871).

An encoder, the same for all tasks, and one head per task: a linear classifier (on nine tiles for
jigsaw) or a decoder of convolutions and transposed convolutions. The discriminator that is trained
beside the decoders of "normal" and "autoencoder" is no part of the forward pass and is not built.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from naslib_swap.score import count_parameters
from naslib_swap.spaces.networks import on_meta

BASE_CHANNELS = 64
TILES = 9

_CELLS_PER_LAYER = 2
_STEM_DEPTH = 2
_MICRO_LAYERS = (4, 1, 4, 1, 4)
_MICRO_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
_KERNELS = {2: 1, 3: 3}
_DESIGN_SIZE = 224
"""The image size that decoders are laid out for; images are in fact 256×256, as their outputs."""
_OUTPUT_SIZE = 256


class Skip(nn.Module):
    """A skip connection that changes size: two strided 1×1 convolutions, one a pixel further on."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        half = channels_out // 2
        self.activation = nn.ReLU()
        self.even = nn.Conv2d(channels_in, half, 1, stride=stride, bias=False)
        self.odd = nn.Conv2d(channels_in, channels_out - half, 1, stride=stride, bias=False)
        self.pad = nn.ConstantPad2d((0, 1, 0, 1), 0)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map [S, channels_in, H, W] to [S, channels_out, H / stride, W / stride], rounded up."""
        x = self.activation(x)
        shifted = self.pad(x)[:, :, 1:, 1:]
        return self.norm(torch.cat([self.even(x), self.odd(shifted)], dim=1))


class MicroCell(nn.Module):
    """Four nodes, each the sum of its incoming edges; those from the input change the size."""

    def __init__(
        self, operations: tuple[int, ...], channels_in: int, channels_out: int, stride: int
    ) -> None:
        super().__init__()
        self.stride, self.channels = stride, channels_out
        self.incoming: list[list[tuple[int, int]]] = [[], [], []]
        edges: list[nn.Module] = []
        for (start, end), operation in zip(_MICRO_EDGES, operations):
            if operation:
                self.incoming[end - 1].append((start, len(edges)))
                sizes = (channels_in, channels_out, stride) if start == 0 else (channels_out,) * 2
                edges.append(_micro_operation(operation, *sizes))
        self.edges = nn.ModuleList(edges)

    def forward(self, x: Tensor) -> Tensor:
        """Map [S, channels_in, H, W] to [S, channels_out, H / stride, W / stride]."""
        nodes = [x]
        for incoming in self.incoming:
            terms = [self.edges[index](nodes[start]) for start, index in incoming]
            nodes.append(sum(terms[1:], terms[0]) if terms else self._zeros(x))
        return nodes[-1]

    def _zeros(self, x: Tensor) -> Tensor:
        height, width = ((x.shape[axis] + self.stride - 1) // self.stride for axis in (2, 3))
        return x.new_zeros((x.shape[0], self.channels, height, width))


class BasicBlock(nn.Module):
    """The residual block of the macro space: two 3×3 convolutions beside a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            _relu_conv_norm(channels_in, channels_out, 3, stride),
            _relu_conv_norm(channels_out, channels_out, 3),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False),
                # The benchmark's shortcuts have eps and momentum 1 (flags given in their place).
                nn.BatchNorm2d(channels_out, eps=1.0, momentum=1.0),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map [S, channels_in, H, W] to [S, channels_out, H / stride, W / stride]."""
        return self.shortcut(x) + self.convolutions(x)


class JigsawNetwork(nn.Module):
    """Runs the encoder on each of nine tiles; maps [S, 9, C, H, W] to [S, num_classes]."""

    def __init__(self, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """Join the tiles' features along the channels."""
        return self.head(torch.cat([self.encoder(x[:, tile]) for tile in range(TILES)], dim=1))


def micro_encoder(operations: tuple[int, ...], in_channels: int) -> nn.Sequential:
    """Build the encoder of a micro architecture, six operations in 0..3."""
    layers = [*_stem(in_channels)]
    for channels_in, channels_out, stride in layer_plan(_MICRO_LAYERS):
        layers.append(MicroCell(operations, channels_in, channels_out, stride))
        layers.append(MicroCell(operations, channels_out, channels_out, 1))
    return _initialised(layers)


def macro_encoder(layer_codes: tuple[int, ...], in_channels: int) -> nn.Sequential:
    """Build the encoder of a macro architecture, one code in 1..4 a layer."""
    layers = [*_stem(in_channels)]
    for channels_in, channels_out, stride in layer_plan(layer_codes):
        layers.append(BasicBlock(channels_in, channels_out, stride))
        layers.append(BasicBlock(channels_out, channels_out, 1))
    return _initialised(layers)


def with_head(
    encoder: nn.Sequential, task: str, layer_codes: tuple[int, ...] | None, num_classes: int
) -> nn.Module:
    """Add the head of a task; `layer_codes` are a macro architecture's, None for micro."""
    head = _head(task, *_features(layer_codes), num_classes)
    return JigsawNetwork(encoder, head) if task == "jigsaw" else nn.Sequential(encoder, head)


def layer_plan(layer_codes: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """(channels_in, channels_out, stride) of each layer: 2 and 4 double, 3 and 4 have stride 2."""
    plan, channels = [], BASE_CHANNELS
    for code in layer_codes:
        wider = channels * 2 if code in (2, 4) else channels
        plan.append((channels, wider, 2 if code in (3, 4) else 1))
        channels = wider
    return plan


def micro_parameters(operations: tuple[int, ...], in_channels: int) -> int:
    """Count the parameters of a micro encoder."""
    total = _stem_parameters(in_channels)
    for wide_in, wide_out, stride in layer_plan(_MICRO_LAYERS):
        for sizes in ((wide_in, wide_out, stride), (wide_out, wide_out, 1)):
            for (start, _), operation in zip(_MICRO_EDGES, operations):
                total += _edge_parameters(operation, *(sizes if start == 0 else (wide_out,) * 2))
    return total


def macro_parameters(layer_codes: tuple[int, ...], in_channels: int) -> int:
    """Count the parameters of a macro encoder."""
    total = _stem_parameters(in_channels)
    for wide_in, wide_out, stride in layer_plan(layer_codes):
        total += _conv_parameters(wide_in, wide_out, 3) + 3 * _conv_parameters(
            wide_out, wide_out, 3
        )
        if stride != 1 or wide_in != wide_out:
            total += _conv_parameters(wide_in, wide_out, 1)
    return total


def head_parameters(task: str, layer_codes: tuple[int, ...] | None, num_classes: int) -> int:
    """Count the parameters of a task's head."""
    return _head_parameters(task, *_features(layer_codes), num_classes)


@lru_cache(maxsize=256)
def _head_parameters(task: str, channels: int, upsamplings: int, num_classes: int) -> int:
    with on_meta():
        return count_parameters(_head(task, channels, upsamplings, num_classes))


def micro_depth(operations: tuple[int, ...]) -> int:
    """Count the weighted layers on a micro encoder's longest path (`depth.weighted_depth`)."""
    depth = _STEM_DEPTH
    for _, _, stride in layer_plan(_MICRO_LAYERS):
        for resizing in (stride != 1, False):
            depths = [depth]
            for end in (1, 2, 3):
                live = [
                    depths[start] + (operation != 1 or (resizing and start == 0))
                    for (start, target), operation in zip(_MICRO_EDGES, operations)
                    if target == end and operation
                ]
                depths.append(max(live, default=0))
            depth = depths[-1]
    return depth


def macro_depth(layer_codes: tuple[int, ...]) -> int:
    """Count the weighted layers on a macro encoder's longest path, two a block."""
    return _STEM_DEPTH + 2 * _CELLS_PER_LAYER * len(layer_codes)


def _stem_parameters(in_channels: int) -> int:
    half = BASE_CHANNELS // 2
    return _conv_parameters(in_channels, half, 3) + _conv_parameters(half, BASE_CHANNELS, 3)


def _conv_parameters(channels_in: int, channels_out: int, kernel: int) -> int:
    return channels_in * channels_out * kernel**2 + 2 * channels_out


def _edge_parameters(operation: int, channels_in: int, channels_out: int, stride: int = 1) -> int:
    if operation in _KERNELS:
        return _conv_parameters(channels_in, channels_out, _KERNELS[operation])
    if operation == 1 and (stride != 1 or channels_in != channels_out):
        return _conv_parameters(channels_in, channels_out, 1)
    return 0


def _stem(in_channels: int) -> list[nn.Module]:
    half = BASE_CHANNELS // 2
    return [
        nn.Conv2d(in_channels, half, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(half),
        _relu_conv_norm(half, BASE_CHANNELS, 3, 2),
    ]


def _relu_conv_norm(
    channels_in: int, channels_out: int, kernel: int, stride: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(
            channels_in, channels_out, kernel, stride=stride, padding=kernel // 2, bias=False
        ),
        nn.BatchNorm2d(channels_out),
    )


def _micro_operation(
    operation: int, channels_in: int, channels_out: int, stride: int = 1
) -> nn.Module:
    if operation in _KERNELS:
        return _relu_conv_norm(channels_in, channels_out, _KERNELS[operation], stride)
    if stride == 1 and channels_in == channels_out:
        return nn.Identity()
    return Skip(channels_in, channels_out, stride)


def _initialised(layers: list[nn.Module]) -> nn.Sequential:
    """Draw the encoder's convolutions as the benchmark does: He's normal law, by fan-out."""
    encoder = nn.Sequential(*layers)
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return encoder


def _features(layer_codes: tuple[int, ...] | None) -> tuple[int, int]:
    """Return the encoder's output channels, and how often a decoder doubles their resolution."""
    plan = layer_plan(_MICRO_LAYERS if layer_codes is None else layer_codes)
    size = _DESIGN_SIZE // 4
    for _, _, stride in plan:
        size //= stride
    return plan[-1][1], int(math.log2(_OUTPUT_SIZE / size))


def _head(task: str, channels: int, upsamplings: int, num_classes: int) -> nn.Sequential:
    if task in ("normal", "autoencoder"):
        return _generator(channels, upsamplings, num_classes)
    if task == "segmentsemantic":
        return _segmenter(channels, upsamplings, num_classes)
    return _classifier(TILES * channels if task == "jigsaw" else channels, num_classes)


def _classifier(features: int, num_classes: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, num_classes))


def _generator(channels: int, upsamplings: int, channels_out: int) -> nn.Sequential:
    """Image translation: 13 normalised layers, as many as needed transposed, and one with tanh."""
    never, always = 99, 0
    widths_and_thresholds = (
        (1024, never),
        (1024, never),
        (512, 6),
        (512, never),
        (256, 5),
        (128, never),
        (64, 4),
        (64, never),
        (32, 3),
        (32, never),
        (16, always),
        (32, never),
        (16, always),
    )
    layers: list[nn.Module] = []
    for width, threshold in widths_and_thresholds:
        layers += _decoding(channels, width, upsample=upsamplings >= threshold)
        channels = width
    return nn.Sequential(*layers, nn.Conv2d(channels, channels_out, 3, padding=1), nn.Tanh())


def _segmenter(channels: int, upsamplings: int, num_classes: int) -> nn.Sequential:
    """Segmentation: widths halve from 1024, plain layers first, then the transposed ones."""
    layers = _decoding(channels, 1024, upsample=False)
    channels = 1024
    for step in range(5):
        layers += _decoding(channels, channels // 2, upsample=step >= 6 - upsamplings)
        channels //= 2
    layers += _decoding(channels, channels, upsample=True)
    return nn.Sequential(*layers, nn.Conv2d(channels, num_classes, 3, padding=1))


def _decoding(channels_in: int, channels_out: int, *, upsample: bool) -> list[nn.Module]:
    layer: nn.Module
    if upsample:
        layer = nn.ConvTranspose2d(
            channels_in, channels_out, 3, stride=2, padding=1, output_padding=1
        )
    else:
        layer = nn.Conv2d(channels_in, channels_out, 3, padding=1)
    return [layer, nn.BatchNorm2d(channels_out), nn.LeakyReLU(0.2)]
