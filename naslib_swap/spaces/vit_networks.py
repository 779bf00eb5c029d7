"""The networks of the vision transformer spaces: AutoFormer's, ViTBench-101's and PiT's.

AutoFormer (Chen et al., ICCV 2021, arXiv 2107.00651): heads of 64 features whatever the width, and
relative positions in both directions for keys and values. ViTBench-101 (Wei et al., AAAI 2024,
arXiv 2312.09059): its own network without either. PiT (Heo et al., ICCV 2021,
arXiv 2103.16302): three stages, with pooling between them.

Images are square. At another size than 224 pixels the table of positions is interpolated, so that
the parameters stay the same. Dropout and stochastic depth are no part of the networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from naslib_swap.errors import BadArgument

PATCH = 16
SIDE = 14
"""Patches along a side of 224 pixels."""

PIT_STRIDE = 8
PIT_SIDE = 27

HEAD_WIDTH = 64
"""Of AutoFormer's heads."""

FARTHEST = 14
"""Patches further away than this count as this far."""

PLACES = 2 * FARTHEST + 2
"""Rows of a table of relative positions: the class token, then -14 to 14."""

_DEVIATION = 0.02


class RelativePositions(nn.Module):
    """What a token knows of where another lies, [T, T, `HEAD_WIDTH`]: a sum of two tables' rows."""

    def __init__(self) -> None:
        super().__init__()
        self.vertical_positions = nn.Parameter(torch.empty(PLACES, HEAD_WIDTH))
        self.horizontal_positions = nn.Parameter(torch.empty(PLACES, HEAD_WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Look at x [S, T, C] for its number of tokens only."""
        return _relative(self.vertical_positions, self.horizontal_positions, x.shape[1])


class Attention(nn.Module):
    """Self-attention with heads of a given width; maps [S, T, C] to the same shape."""

    def __init__(self, width: int, num_heads: int, head_width: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_width = head_width
        self.qkv = nn.Linear(width, 3 * num_heads * head_width)
        self.proj = nn.Linear(num_heads * head_width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Let every token look at all tokens."""
        heads = (3, self.num_heads, self.head_width)
        # Images stay the first dimension: where they move, SWAP must find them again.
        q, k, v = self.qkv(x).unflatten(-1, heads).unbind(2)
        mixed = self.mixed(x, q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return self.proj(mixed.transpose(1, 2).flatten(2))

    def mixed(self, x: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Mix values by how queries and keys agree, all [S, heads, T, head width]."""
        return F.scaled_dot_product_attention(q, k, v)


class RelativeAttention(Attention):
    """AutoFormer's: relative positions are added to keys and to values."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__(width, num_heads, HEAD_WIDTH)
        self.keys = RelativePositions()
        self.values = RelativePositions()

    def mixed(self, x: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Mix values by how queries and keys agree, all [S, heads, T, head width]."""
        scores = q @ k.transpose(-1, -2) + torch.einsum("shtd,tud->shtu", q, self.keys(x))
        shares = (scores * self.head_width**-0.5).softmax(-1)
        return shares @ v + torch.einsum("shtu,tud->shtd", shares, self.values(x))


class Block(nn.Module):
    """Attention and a feed-forward network with GELU, each behind a norm layer and added."""

    def __init__(self, attention: nn.Module, width: int, hidden: int, epsilon: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, epsilon)
        self.attention = attention
        self.norm2 = nn.LayerNorm(width, epsilon)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [S, T, C] to the same shape."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """Patches of 16 pixels, a class token, blocks, and the mean of the patches' tokens."""

    def __init__(
        self,
        blocks: Sequence[nn.Module],
        width: int,
        *,
        num_classes: int,
        in_channels: int,
        epsilon: float,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(in_channels, width, PATCH, stride=PATCH)
        self.class_token = nn.Parameter(torch.empty(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, SIDE**2 + 1, width))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width, epsilon)
        self.head = nn.Linear(width, num_classes)
        _draw(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map [S, in_channels, H, H], H a multiple of 16, to [S, num_classes]."""
        maps = self.patches(_checked(images, PATCH))
        x = torch.cat([_first(self.class_token, maps), _tokens(maps)], 1)
        x = x + _token_positions(self.positions, maps)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 1:].mean(1))


class Pooling(nn.Module):
    """Halves the map by a convolution of single channels, and fits the class token to it."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(before, after, 3, stride=2, padding=1, groups=before)
        self.class_token = nn.Linear(before, after)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [S, 1 + n * n, before] to [S, 1 + m * m, after], m half of n, rounded up."""
        maps = self.patches(_map(x[:, 1:]))
        return torch.cat([self.class_token(x[:, :1]), _tokens(maps)], 1)


class Pit(nn.Module):
    """PiT: overlapping patches, stages with pooling between them, and the class token alone."""

    def __init__(
        self,
        blocks: Sequence[nn.Module],
        first: int,
        last: int,
        *,
        num_classes: int,
        in_channels: int,
        epsilon: float,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(in_channels, first, PATCH, stride=PIT_STRIDE)
        self.positions = nn.Parameter(torch.empty(1, first, PIT_SIDE, PIT_SIDE))
        self.class_token = nn.Parameter(torch.empty(1, 1, first))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(last, epsilon)
        self.head = nn.Linear(last, num_classes)
        _draw(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map [S, in_channels, H, H], H a multiple of 8 from 16 on, to [S, num_classes]."""
        maps = self.patches(_checked(images, PIT_STRIDE))
        x = _tokens(maps + _map_positions(self.positions, maps))
        x = torch.cat([_first(self.class_token, maps), x], 1)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))


def _draw(net: nn.Module) -> None:
    """Draw weights as all three do: normal, cut at 2; the patches' convolution as torch does."""
    for module in net.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=_DEVIATION)
            nn.init.zeros_(module.bias)
        elif isinstance(module, (VisionTransformer, Pit, RelativePositions)):
            for parameter in module.parameters(recurse=False):
                nn.init.trunc_normal_(parameter, std=_DEVIATION)


# What looks at sizes is one step for torch.fx, which knows no sizes.


@fx.wrap
def _checked(images: Tensor, step: int) -> Tensor:
    height, width = images.shape[-2:]
    if height != width or height < PATCH or height % step:
        raise BadArgument(
            f"images of {height} x {width} pixels: expected square ones of {PATCH} pixels or more, "
            f"in steps of {step}, such as 224 x 224"
        )
    return images


@fx.wrap
def _first(token: Tensor, maps: Tensor) -> Tensor:
    return token.expand(len(maps), -1, -1)


@fx.wrap
def _tokens(maps: Tensor) -> Tensor:
    return maps.flatten(2).transpose(1, 2)


@fx.wrap
def _map(tokens: Tensor) -> Tensor:
    side = isqrt(tokens.shape[1])
    return tokens.transpose(1, 2).unflatten(-1, (side, side))


@fx.wrap
def _map_positions(positions: Tensor, maps: Tensor) -> Tensor:
    """Return positions [1, C, side, side] for maps [S, C, H, W], as [1, C, H, W]."""
    size = maps.shape[-2:]
    if positions.shape[-2:] == size:
        return positions
    return F.interpolate(positions, size, mode="bilinear", align_corners=False)


@fx.wrap
def _token_positions(positions: Tensor, maps: Tensor) -> Tensor:
    """Return positions [1, 1 + side * side, C] for maps [S, C, H, W], as [1, 1 + H * W, C]."""
    placed = _tokens(_map_positions(_map(positions[:, 1:]), maps))
    return torch.cat([positions[:, :1], placed], 1)


@fx.wrap
def _relative(vertical: Tensor, horizontal: Tensor, tokens: int) -> Tensor:
    """Return [tokens, tokens, width]: of query and key, the rows of both tables, added."""
    side = isqrt(tokens - 1)
    places = torch.arange(side, device=vertical.device)
    steps = (places - places[:, None]).clamp(-FARTHEST, FARTHEST) + FARTHEST + 1
    down, across = vertical[steps], horizontal[steps]  # [of query, of key, width] each
    patches = down[:, None, :, None] + across[None, :, None, :]
    patches = patches.reshape(tokens - 1, tokens - 1, -1)
    token = vertical[0] + horizontal[0]
    patches = torch.cat([token.expand(tokens - 1, 1, -1), patches], 1)
    return torch.cat([token.expand(1, tokens, -1), patches], 0)
