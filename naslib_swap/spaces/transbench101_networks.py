"""Networks of TransNAS-Bench-101 (Duan et al., CVPR 2021, arXiv 2105.11871).

An encoder, the same for all tasks, and one head a task: a linear classifier (on nine tiles for
jigsaw) or a decoder of convolutions and transposed convolutions. The discriminator that is trained
beside the decoders of "normal" and "autoencoder" is no part of the forward pass and is not built.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

BASE_CHANNELS = 64
TILES = 9

_CELLS_PER_LAYER = 2
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
                nn.BatchNorm2d(channels_out),
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
    plan = layer_plan(_MICRO_LAYERS if layer_codes is None else layer_codes)
    channels = plan[-1][1]
    if task == "jigsaw":
        return JigsawNetwork(encoder, _classifier(TILES * channels, num_classes))
    if task in ("normal", "autoencoder"):
        return nn.Sequential(encoder, _generator(channels, _upsamplings(plan), num_classes))
    if task == "segmentsemantic":
        return nn.Sequential(encoder, _segmenter(channels, _upsamplings(plan), num_classes))
    return nn.Sequential(encoder, _classifier(channels, num_classes))


def layer_plan(layer_codes: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """(channels_in, channels_out, stride) of each layer: 2 and 4 double, 3 and 4 have stride 2."""
    plan, channels = [], BASE_CHANNELS
    for code in layer_codes:
        wider = channels * 2 if code in (2, 4) else channels
        plan.append((channels, wider, 2 if code in (3, 4) else 1))
        channels = wider
    return plan


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


def _classifier(features: int, num_classes: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, num_classes))


def _upsamplings(plan: list[tuple[int, int, int]]) -> int:
    """How often a decoder doubles the resolution."""
    size = _DESIGN_SIZE // 4
    for _, _, stride in plan:
        size //= stride
    return int(math.log2(_OUTPUT_SIZE / size))


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
