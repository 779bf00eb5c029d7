"""From photographs and dataset images to the shape that a network takes."""

from __future__ import annotations

from math import isqrt
from typing import NamedTuple

import numpy as np
from PIL import Image

from naslib_swap.errors import BadArgument


class Statistics(NamedTuple):
    """Mean and standard deviation of each of the three colour channels, for pixels in [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Layout(NamedTuple):
    """What the wanted shape asks of one image: its height and width, and how it is cut."""

    channels: int
    height: int
    width: int
    patches_per_side: int | None


def layout(shape: tuple[int, ...]) -> Layout:
    """Read (C, H, W), or (P, C, H, W) for P = k * k patches of H x W cut from one image.

    Raises
    ------
    BadArgument
        C is neither 1 nor 3, P is no square, or a size is not positive.
    """
    given = tuple(shape)
    if len(given) not in (3, 4) or any(
        not isinstance(n, (int, np.integer)) or n < 1 for n in given
    ):
        raise BadArgument(
            f"input shape {given}: expected (channels, height, width), such as (3, 32, 32), or "
            "(patches, channels, height, width), such as (9, 3, 64, 64), all at least 1"
        )
    channels, height, width = (int(n) for n in given[-3:])
    if channels not in (1, 3):
        raise BadArgument(f"input shape {given}: {channels} channels; images have 3, or 1 as grey")
    if len(given) == 3:
        return Layout(channels, height, width, None)
    side = isqrt(given[0])
    if side * side != given[0]:
        raise BadArgument(f"input shape {given}: {given[0]} patches; expected a square such as 9")
    return Layout(channels, height * side, width * side, side)


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize one uint8 [H, W, 3] image; reducing averages whole areas."""
    reducing = image.shape[0] >= height and image.shape[1] >= width
    method = Image.Resampling.BOX if reducing else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image).resize((width, height), method))


def centre_fitted(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Reduce one uint8 [H, W, 3] image until it just covers height x width, then cut its centre."""
    scale = min(image.shape[0] / height, image.shape[1] / width)
    tall, wide = round(height * scale), round(width * scale)
    top, left = (image.shape[0] - tall) // 2, (image.shape[1] - wide) // 2
    cut = image[top : top + tall, left : left + wide]
    return cut if cut.shape[:2] == (height, width) else resized(cut, height, width)


def normalised(images: np.ndarray, statistics: Statistics) -> np.ndarray:
    """Map uint8 (or float in [0, 1]) [S, H, W, 3] to float32 [S, 3, H, W], (x - mean) / std."""
    pixels = images.astype(np.float32)
    if images.dtype == np.uint8:
        pixels /= np.float32(255)
    mean = np.asarray(statistics.mean, dtype=np.float32)
    std = np.asarray(statistics.std, dtype=np.float32)
    return np.ascontiguousarray(((pixels - mean) / std).transpose(0, 3, 1, 2))


def arranged(images: np.ndarray, wanted: Layout, seed: int) -> np.ndarray:
    """Bring normalised [S, 3, H, W] images to the wanted channels and patches.

    One channel is the mean of the three. Patches come in an order drawn anew from `seed` for each
    image, as the jigsaw task of TransNAS-Bench-101 shuffles them.
    """
    if wanted.channels == 1:
        images = images.mean(axis=1, keepdims=True, dtype=np.float32)
    if wanted.patches_per_side is None:
        return images
    side = wanted.patches_per_side
    samples, channels, height, width = images.shape
    grid = images.reshape(samples, channels, side, height // side, side, width // side)
    patches = grid.transpose(0, 2, 4, 1, 3, 5).reshape(
        samples, side * side, channels, height // side, width // side
    )
    rng = np.random.default_rng([seed, 2])
    return np.stack([image[rng.permutation(side * side)] for image in patches])
