"""Crops of the two photographs that come with scikit-learn: images where no dataset is at hand."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from naslib_swap.errors import BadArgument
from naslib_swap.inputs.fitting import Layout, Statistics, resized

REDUCTION = 8
"""How many times a crop is reduced, at most: 256 pixels of photograph become 32."""

WINDOW = 256
"""Largest side of a crop in pixels of the photograph (427 x 640), so that crops differ."""


@lru_cache(maxsize=1)
def photographs() -> tuple[np.ndarray, ...]:
    """The photographs, uint8 [427, 640, 3] each."""
    # Not `load_sample_images`: that of scikit-learn 1.0 fails with today's Pillow.
    import sklearn
    from PIL import Image

    folder = Path(sklearn.__file__).parent / "datasets" / "images"
    return tuple(np.asarray(Image.open(folder / name)) for name in ("china.jpg", "flower.jpg"))


def statistics() -> Statistics:
    """Mean and standard deviation of each channel over all pixels of the photographs."""
    pixels = np.concatenate([photo.reshape(-1, 3) for photo in photographs()]) / 255.0
    return Statistics(tuple(pixels.mean(axis=0)), tuple(pixels.std(axis=0)))


def natural_crops(samples: int, wanted: Layout, seed: int) -> np.ndarray:
    """Draw `samples` different crops, uint8 [S, H, W, 3], from `seed`.

    Crops are reduced 8 times, or less where a crop would be larger than `WINDOW`, and enlarged
    where the wanted side itself is. The first crops of a larger batch are those of a smaller one.
    """
    scale = min(REDUCTION, WINDOW / wanted.height, WINDOW / wanted.width)
    height, width = max(1, round(wanted.height * scale)), max(1, round(wanted.width * scale))
    photos = photographs()
    rows, columns = (photos[0].shape[0] - height + 1, photos[0].shape[1] - width + 1)
    if samples > len(photos) * rows * columns:
        raise BadArgument(
            f"{samples} natural-image crops: the photographs hold {len(photos) * rows * columns} "
            f"different crops of {height}x{width} pixels; ask for fewer samples"
        )
    rng = np.random.default_rng([seed, 0])
    chosen: dict[tuple[int, int, int], None] = {}
    while len(chosen) < samples:
        chosen[
            int(rng.integers(len(photos))), int(rng.integers(rows)), int(rng.integers(columns))
        ] = None
    return np.stack(
        [
            resized(photos[photo][y : y + height, x : x + width], wanted.height, wanted.width)
            for photo, y, x in chosen
        ]
    )
