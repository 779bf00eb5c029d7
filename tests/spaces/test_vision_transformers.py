"""AutoFormer's, ViTBench-101's and PiT's networks: published sizes, and outputs by loops."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naslib_swap import spaces, swap_score
from naslib_swap.errors import SwapError
from naslib_swap.restricted_pickle import load_torch_pickle
from naslib_swap.spaces.autoformer import published_flops
from naslib_swap.spaces.vit_networks import (
    Attention,
    Block,
    Pit,
    Pooling,
    RelativeAttention,
    RelativePositions,
    VisionTransformer,
)

TINY, SMALL, BASE = (spaces.get(f"autoformer_{size}") for size in ("tiny", "small", "base"))
VITBENCH, PIT = spaces.get("vitbench_autoformer"), spaces.get("pit")


def record(width: int, ratios: list[float], heads: list[int]) -> dict[str, Any]:
    depth = len(ratios)
    return {"layer_num": depth, "mlp_ratio": ratios, "num_heads": heads, "embed_dim": [width]}


PUBLISHED = {
    "autoformer_tiny": (
        5_867_944,
        record(192, [3.5, 3.5, 3, 3.5, 3, 3, 4, 4, 3.5, 4, 3.5, 4, 3.5], [3] * 10 + [4] + [3] * 2),
    ),
    "autoformer_small": (
        22_891_432,
        record(
            384,
            [3, 3.5, 3, 3.5, 4, 4, 4, 4, 4, 4, 4, 3.5, 4],
            [6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7],
        ),
    ),
    "autoformer_base": (
        53_691_688,
        record(
            576,
            [3.5, 3.5, 4, 3.5, 4, 3.5, 3.5, 3, 4, 4, 3, 4, 3, 3.5],
            [9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10],
        ),
    ),
}
"""The networks that AutoFormer's authors found, and their parameters."""


# Sizes.


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks(name: str) -> None:
    parameters, found = PUBLISHED[name]
    found = {**found, "embed_dim": found["embed_dim"] * found["layer_num"]}
    space = spaces.get(name)
    arch = space.parse(json.dumps(found))
    assert space.parameters(arch, num_classes=1000) == parameters


def test_published_flops_of_base() -> None:
    ratios = [3.5, 3, 3.5, 4, 3.5, 3.5, 3.5, 3.5, 3.5, 4, 3, 4, 3, 3.5, 3]
    heads = [9, 10, 9, 10, 9, 9, 10, 10, 9, 10, 10, 10, 9, 10, 10]
    space = spaces.get("autoformer_base")
    arch = space.parse("624-" + "-".join(f"{h}h{r}" for h, r in zip(heads, ratios)))
    assert space.parameters(arch, num_classes=1000) == 64_959_352
    assert published_flops(space.layers(arch)) == 13_533_557_862


def test_sizes_of_vitbench() -> None:
    ratios = [3.5, 4, 3.5, 4, 3.5, 3.5, 4, 3.5, 4, 4, 4, 3.5]
    for heads in (3, 4):  # heads cost nothing
        text = "-".join(["192", *(f"{heads}h{ratio}" for ratio in ratios)])
        assert VITBENCH.parameters(VITBENCH.parse(text), num_classes=100) == 5_321_956
    ratios = [4, 3.5, 3.5, 4, 4, 4, 4, 3.5, 3.5, 3.5, 3.5, 3.5, 4, 4]
    text = "-".join(["240", *(f"3h{ratio}" for ratio in ratios)])
    assert VITBENCH.parameters(VITBENCH.parse(text), num_classes=100) == 9_573_100
    assert PIT.parameters(PIT.parse("16r6-2x2h-8x4h-4x4h"), num_classes=100) == 893_828


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_sizes_of_all_records_of_ood_vit_nas(data_dir: Path, size: str) -> None:
    path = data_dir / "vit" / f"1k_Vit_Architecture_from_AutoFM_{size}.json"
    records = list(json.loads(path.read_text()).values())
    space = spaces.get(f"autoformer_{size}")
    archs = [space.parse(json.dumps(entry)) for entry in records]
    assert len(set(archs)) == len(records) == 1001
    assert all(space.parse(space.encode(arch)) == arch for arch in archs)
    counted = [space.parameters(arch, num_classes=1000) for arch in archs]
    assert counted == [round(entry["params"] * 1e6) for entry in records]
    flops = [published_flops(space.layers(arch)) / 1e6 for arch in archs]
    assert flops == pytest.approx([entry["flops"] for entry in records], abs=1e-6)


@pytest.mark.parametrize("name", ["autoformer", "pit"])
def test_records_of_vitbench_are_read(data_dir: Path, name: str) -> None:
    space = PIT if name == "pit" else VITBENCH
    records = load_torch_pickle(data_dir / "vit" / f"gt_{name}.pth")
    archs = {space.parse(str(entry)) for entry in records}
    assert len(archs) == 100
    assert archs == {space.parse(json.dumps(entry["arch"])) for entry in records}


# Notations.


def test_notations_of_autoformer() -> None:
    arch = (192, ((3, 8), (4, 7)) * 6)
    text = "192-" + "-".join(["3h4-4h3.5"] * 6)
    assert TINY.parse(text) == TINY.parse(f"192-{'-'.join(['3h4-4h3.5'] * 6)}\n") == arch
    assert TINY.encode(arch) == text
    yaml = "SUPERNET:\n  DEPTH: 14\nRETRAIN:\n  MLP_RATIO: [{}]\n  NUM_HEADS: [{}]\n".format(
        ", ".join(["4.0, 3.5"] * 6), ", ".join(["3, 4"] * 6)
    )
    assert TINY.parse(yaml + "  DEPTH: 12\n  EMBED_DIM: 192\n") == arch
    described = TINY.described(arch)
    assert described["architecture"] == text
    assert TINY.parse(json.dumps(described)) == arch


def test_notations_of_pit() -> None:
    arch = (32, 4, 1, 6, 6, (2, 8, 8))
    assert PIT.parse("32r4-1x2h-6x8h-6x8h") == arch
    assert PIT.parse(str({"arch": {**PIT.described(arch)}, "c100_kd_acc": 77.8})) == arch
    assert PIT.depth(arch) == 1 + 4 * 13 + 2 + 1


def _with(**changes: Any) -> str:
    entry = record(192, [4] * 12, [3] * 12)
    return json.dumps({"net_setting": {**entry, "embed_dim": 192, **changes}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_with(embed_dim=200), "expected a width of 192, 216 or 240 instead of 200, such as 192-"),
        (_with(num_heads=[3] * 11 + [5]), "expected 3 or 4 heads instead of 5, such as"),
        (_with(mlp_ratio=[4] * 11 + [2.5]), "expected a ratio of 3.5 or 4 instead of 2.5, such as"),
        (_with(layer_num=11), "one for each layer, such as"),
        (_with(embed_dim=[192] * 11 + [216]), "one for each layer, such as"),
        (_with(mlp_ratio=[4] * 11 + [3.7]), "one for each layer, such as"),
        (_with(mlp_ratio=[4] * 11 + [True]), "one for each layer, such as"),
        (_with(mlp_ratio=[4] * 11 + [1e999]), "one for each layer, such as"),
        (_with(num_heads=None), "one for each layer, such as"),
        ("192-3h4", "expected 12, 13 or 14 layers instead of 1, such as"),
        ("192-" + "-".join(["3h4"] * 11), "expected 12, 13 or 14 layers instead of 11"),
        ("{a: " * 6000, "a width of 192, 216 or 240, then"),
        ("!!python/object/apply:os.system ['true']", "a width of 192, 216 or 240, then"),
    ],
)
def test_what_is_no_autoformer_says_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(SwapError, match="is no AutoFormer-T architecture") as error:
        TINY.parse(text)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16r6-2x4h-8x2h-4x4h", "2, 4 or 8 heads, never fewer than before, instead of 4, 2, 4"),
        ("16r6-2x2h-8x4h-4x6h", "2, 4 or 8 heads, never fewer than before, instead of 2, 4, 6"),
        ("20r6-2x2h-8x4h-4x4h", "a base width of 16, 24, 32 or 40 instead of 20, such as 16r6-"),
        ("16r5-2x2h-8x4h-4x4h", "a ratio of 2, 4, 6 or 8 instead of 5"),
        ("16r6-4x2h-8x4h-4x4h", "a depth of 1, 2 or 3 instead of 4"),
        (
            '{"base_dim": 16, "mlp_ratio": 6, "depth": [2, 8], "num_heads": [2, 4]}',
            "a base width, r",
        ),
        (
            '{"base_dim": 16, "mlp_ratio": 6, "depth": [2, 8, 4], "num_heads": [2, 4, [4]]}',
            "a base width, r, a ratio, then for three stages",
        ),
        (
            '{"base_dim": [16], "mlp_ratio": 6, "depth": [2, 8, 4], "num_heads": [2, 4, 4]}',
            "or a record of base_dim, mlp_ratio, depth and num_heads",
        ),
    ],
)
def test_what_is_no_pit_says_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(SwapError, match="is no PiT architecture: expected ") as error:
        PIT.parse(text)
    assert expected in str(error.value)


# Moves.


def test_mutation_reaches_width_depth_and_layers() -> None:
    arch, rng = TINY.parse(TINY.example), np.random.default_rng(0)
    children = [TINY.mutate(arch, rng) for _ in range(300)]
    assert {child[0] for child in children} == {192, 216, 240}
    assert {len(child[1]) for child in children} == {12, 13, 14}
    for width, layers in children:
        changed = sum(a != b for a, b in zip(layers, arch[1]))
        assert changed + (width != arch[0]) + (len(layers) != 12) == 1


def test_crossover_of_two_depths_takes_last_layers_from_who_has_them() -> None:
    rng = np.random.default_rng(0)
    short, long = (192, ((3, 7),) * 12), (240, ((4, 8),) * 14)
    children = [TINY.crossover(short, long, rng) for _ in range(200)]
    assert {len(child[1]) for child in children} == {12, 14}
    assert {child[0] for child in children} == {192, 240}
    assert all(layer == (4, 8) for child in children for layer in child[1][12:])
    assert {layer for child in children for layer in child[1][:12]} == {(3, 7), (4, 8)}


# Outputs.


def redrawn(net: nn.Module) -> nn.Module:
    """The network in float64, its parameters large enough for all of them to matter."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.double().parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
    return net


def images(side: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, channels, side, side, generator=generator).double()


def place(token: int, side: int) -> tuple[int, int]:
    return divmod(token - 1, side)


def relative_row(net: RelativePositions, query: int, key: int, side: int) -> Tensor:
    """What one query knows of one key: index 0 for the class token, else the distance."""
    down = across = 0
    if query and key:
        (row, column), (to_row, to_column) = place(query, side), place(key, side)
        down = min(max(to_row - row, -14), 14) + 15
        across = min(max(to_column - column, -14), 14) + 15
    return net.vertical_positions[down] + net.horizontal_positions[across]


def attended(net: Attention, x: Tensor) -> Tensor:
    """Attention of one image, [T, C], head by head and query by query."""
    tokens, width, side = len(x), net.head_width, math.isqrt(len(x) - 1)
    q, k, v = (x @ net.qkv.weight.T + net.qkv.bias).chunk(3, 1)
    mixed = torch.zeros(tokens, net.num_heads * width, dtype=x.dtype)
    for head in range(net.num_heads):
        own = slice(head * width, (head + 1) * width)
        for query in range(tokens):
            keys, values = list(k[:, own]), list(v[:, own])
            if isinstance(net, RelativeAttention):
                for key in range(tokens):
                    keys[key] = keys[key] + relative_row(net.keys, query, key, side)
                    values[key] = values[key] + relative_row(net.values, query, key, side)
            scores = torch.stack([q[query, own] @ key for key in keys]) / math.sqrt(width)
            for share, value in zip(scores.softmax(0), values):
                mixed[query, own] += share * value
    return mixed @ net.proj.weight.T + net.proj.bias


def normed(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    spread = (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt()
    return centred / spread * norm.weight + norm.bias


def through(block: Block, x: Tensor) -> Tensor:
    x = x + attended(block.attention, normed(x, block.norm1))
    first, _, second = block.mlp
    hidden = normed(x, block.norm2) @ first.weight.T + first.bias
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    return x + hidden @ second.weight.T + second.bias


def patches(image: Tensor, conv: nn.Conv2d) -> Tensor:
    """The patch embedding of one image, patch by patch: [patches, C]."""
    step = conv.stride[0]
    sides = range(0, image.shape[1] - 15, step)
    cut = [image[:, y : y + 16, x : x + 16] for y in sides for x in sides]
    return torch.stack([(conv.weight * patch).sum((1, 2, 3)) + conv.bias for patch in cut])


@pytest.mark.parametrize("relative", [True, False])
@torch.no_grad()
def test_autoformer_by_loops(relative: bool) -> None:
    width, epsilon = 6, 1e-5 if relative else 1e-6
    attentions = [
        RelativeAttention(width, heads) if relative else Attention(width, heads, width // heads)
        for heads in (2, 3)
    ]
    blocks = [Block(a, width, hidden, epsilon) for a, hidden in zip(attentions, (9, 8))]
    sizes = {"num_classes": 5, "in_channels": 3, "epsilon": epsilon}
    net = redrawn(VisionTransformer(blocks, width, **sizes))
    given = images(48)
    # Positions are those of 14 x 14 patches, reduced to 3 x 3.
    table = net.positions[0, 1:].T.reshape(1, width, 14, 14)
    table = F.interpolate(table, (3, 3), mode="bilinear").flatten(2)[0].T
    expected = []
    for image in given:
        x = torch.cat(
            [net.class_token[0] + net.positions[0, :1], patches(image, net.patches) + table]
        )
        for block in blocks:
            x = through(block, x)
        x = normed(x, net.norm)[1:].mean(0)
        expected.append(x @ net.head.weight.T + net.head.bias)
    torch.testing.assert_close(net(given), torch.stack(expected))


@torch.no_grad()
def test_pit_by_loops() -> None:
    blocks = [
        Block(Attention(4, 2, 2), 4, 8, 1e-6),
        Pooling(4, 8),
        Block(Attention(8, 4, 2), 8, 16, 1e-6),
    ]
    sizes = {"num_classes": 5, "in_channels": 3, "epsilon": 1e-6}
    net = redrawn(Pit(blocks, 4, 8, **sizes))
    given = images(32)  # 3 x 3 patches, then 2 x 2
    table = F.interpolate(net.positions, (3, 3), mode="bilinear").flatten(2)[0].T
    expected = []
    for image in given:
        x = torch.cat([net.class_token[0], patches(image, net.patches) + table])
        x = through(blocks[0], x)
        pool = blocks[1]
        padded = F.pad(x[1:].T.reshape(4, 3, 3), (1, 1, 1, 1))
        maps = torch.zeros(8, 2, 2, dtype=x.dtype)
        for channel in range(8):
            for row in range(2):
                for column in range(2):
                    window = padded[
                        channel // 2, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3
                    ]
                    maps[channel, row, column] = (window * pool.patches.weight[channel, 0]).sum()
        maps += pool.patches.bias[:, None, None]
        token = x[:1] @ pool.class_token.weight.T + pool.class_token.bias
        x = through(blocks[2], torch.cat([token, maps.flatten(1).T]))
        expected.append(normed(x[0], net.norm) @ net.head.weight.T + net.head.bias)
    torch.testing.assert_close(net(given), torch.stack(expected))


@torch.no_grad()
def test_distances_are_clipped_and_the_class_token_has_its_own_row() -> None:
    net, side = RelativePositions(), 17
    nn.init.normal_(net.vertical_positions), nn.init.normal_(net.horizontal_positions)
    found = net(torch.zeros(1, 1 + side**2, 3))
    assert found.shape == (1 + side**2, 1 + side**2, 64)
    for query, key in [
        (0, 0),
        (0, 7),
        (7, 0),
        (1, 1),
        (1, side**2),
        (side**2, 1),
        (5, 290),
        (40, 3),
    ]:
        if max(query, key) <= side**2:
            expected = relative_row(net, query, key, side)
            torch.testing.assert_close(found[query, key], expected, msg=f"{query}, {key}")


def test_whole_networks_at_their_own_and_at_another_resolution() -> None:
    for space, patch_side in ((TINY, 14), (PIT, 27)):
        with torch.device("meta"):
            net = space.build(space.parse(space.example), num_classes=7)
            given = torch.zeros(1, 3, 224, 224)
        assert net.patches(given).shape[-2:] == (patch_side, patch_side)
        with torch.no_grad():
            assert net(given).shape == net(given[..., :32, :32]).shape == (1, 7)


@pytest.mark.parametrize("size", [(30, 30), (32, 48), (8, 8)])
def test_images_of_another_size_are_refused(size: tuple[int, int]) -> None:
    with torch.device("meta"):
        net = TINY.build(TINY.parse(TINY.example))
        given = torch.zeros(1, 3, *size)
    with pytest.raises(
        SwapError, match=rf"images of {size[0]} x {size[1]} pixels: expected square"
    ):
        net(given)


def test_swap_sees_every_gelu() -> None:
    net = TINY.build(TINY.parse(TINY.example))
    net.blocks = net.blocks[-3:]  # with 3 and 4 heads; the others are like them
    found = swap_score(net, torch.randn(4, 3, 32, 32))
    assert found.kinds["signed"].values == sum(
        5 * block.mlp[0].out_features for block in net.blocks
    )
    assert found.values == found.kinds["signed"].values


@pytest.mark.parametrize("space", [TINY, VITBENCH, PIT])
def test_swap_need_not_look_for_samples_that_moved(space: Any) -> None:
    """It takes several forward passes, for every architecture anew."""
    known, net = (space.build(space.parse(space.example)) for _ in range(2))
    if space is not PIT:
        known.blocks, net.blocks = known.blocks[-3:], net.blocks[-3:]
    runs: list[int] = []
    net.register_forward_hook(lambda *_: runs.append(1))
    given = torch.randn(4, 3, 32, 32)
    swap_score(known, given)  # a class of networks is looked at once
    swap_score(net, given)
    assert len(runs) == 1
