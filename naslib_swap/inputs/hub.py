"""Rows of the HuggingFace hub, or of a local data set that `datasets` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from naslib_swap.errors import BadFile, SwapError
from naslib_swap.quoting import listed, one_line
from naslib_swap.reading import damage


def read_hub(
    name: str, *, samples: int, order: str, seed: int
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Stream training images and their labels.

    Parameters
    ----------
    name
        A data set of the hub, or a local folder that `datasets` reads.
    samples
        How many images.
    order
        ``"first"`` is the repository's own order: that of ``uoft-cs/cifar10`` is not the order of
        the original batches. ``"random"`` shuffles within a buffer of 10,000 images.
    seed
        Of the random order.

    Returns
    -------
    images : list of numpy.ndarray
        uint8 [H, W, 3] each.
    labels : numpy.ndarray or None
        int64 [samples], where there are any.

    Raises
    ------
    SwapError
        The package is missing, the data set cannot be read or has no pictures, or too few.
    """
    rows = read_rows(name, samples, order=order, seed=seed)
    if len(rows) < samples:
        raise BadFile(f"hf:{name} holds {len(rows)} training images; {samples} were asked for")
    return images_of(rows, name)


def is_saved(place: str) -> bool:
    """Whether `datasets` saved a data set in this folder."""
    return any((Path(place) / name).is_file() for name in ("state.json", "dataset_dict.json"))


def read_rows(name: str, most: int, *, order: str = "first", seed: int = 0) -> list[dict[str, Any]]:
    """Stream training rows, no more than `most`; otherwise as `read_hub`.

    Raises
    ------
    SwapError
        The package is missing, the data set cannot be read, or has no rows.
    """
    try:
        import datasets
    except ImportError as error:
        raise SwapError(
            f"hf:{name} needs the package datasets: pip install datasets; or use local files "
            "(path=...) or the source 'natural'"
        ) from error
    try:
        if is_saved(name):
            saved = datasets.load_from_disk(name)
            whole = saved["train"] if isinstance(saved, dict) else saved
            stream = whole.to_iterable_dataset()
        else:
            stream = datasets.load_dataset(name, split="train", streaming=True)
        if order == "random":
            stream = stream.shuffle(seed=seed, buffer_size=10_000)
        rows = list(stream.take(most))
    except Exception as error:
        # The library raises whatever its many storage layers do.
        reason = one_line(error, 200)
        raise BadFile(
            f"the data set {name!r} could not be read from the HuggingFace hub "
            f"({type(error).__name__}: {reason}); "
            "without a network, use local files (path=..., or NASLIB_SWAP_DATA) or the source "
            "'natural'"
        ) from error
    if not rows:
        raise BadFile(f"hf:{name} has no training rows")
    return rows


def texts_of(rows: list[dict[str, Any]], name: str) -> list[str]:
    """Return the column text, or the first of texts.

    Raises
    ------
    BadFile
        There is none.
    """
    columns = [key for key, value in rows[0].items() if isinstance(value, str)]
    if not columns:
        raise BadFile(f"hf:{name}: expected a column of pictures or texts, found {listed(rows[0])}")
    column = "text" if "text" in columns else columns[0]
    return [row[column] or "" for row in rows]


def pictures_in(rows: list[dict[str, Any]]) -> str | None:
    """Return the column image or img, or the first of pictures; None where there is none."""
    found = [key for key, value in rows[0].items() if hasattr(value, "convert")]
    return next((key for key in ("image", "img") if key in found), next(iter(found), None))


def images_of(rows: list[dict[str, Any]], name: str) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Return images and labels, as `read_hub`.

    Raises
    ------
    BadFile
        There are no pictures, or one cannot be read.
    """
    pictures = pictures_in(rows)
    if pictures is None:
        raise BadFile(f"hf:{name}: expected a column of pictures, found {listed(rows[0])}")
    labels = next((key for key in ("label", "fine_label", "labels") if key in rows[0]), None)
    with damage(f"hf:{name}: a picture cannot be read"):
        images = [np.asarray(row[pictures].convert("RGB")) for row in rows]
    if labels is None:
        return images, None
    return images, np.array([row[labels] for row in rows], dtype=np.int64)
