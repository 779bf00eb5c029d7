"""Images of a user's own: `.npz` arrays and folders of pictures."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from naslib_swap.errors import SwapError
from naslib_swap.inputs import batches

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"})


class Images(NamedTuple):
    """Images that can be picked by position: uint8 (or float in [0, 1]) [H, W, 3] each."""

    total: int
    labels: np.ndarray | None
    pick: Callable[[Sequence[int]], list[np.ndarray]]


def open_images(path: Path, limit: int | None) -> Images:
    """Open a file or folder of images; of batches, read no more than `limit` images need."""
    if not path.exists():
        raise SwapError(f"images: there is no file or folder {path}")
    if path.is_dir():
        if batches.is_batch_folder(path):
            return _from_arrays(*batches.read_batches(path, limit))
        return _from_folder(path / "train" if (path / "train").is_dir() else path)
    if path.suffix == ".npz":
        return _from_npz(path)
    if batches.is_batch_file(path):
        return _from_arrays(*batches.read_batches(path, limit))
    if path.suffix.lower() in PICTURES:
        return Images(1, None, lambda _: [_picture(path)])
    raise SwapError(
        f"images: {path} is of no known kind; expected an .npz with `images` and `labels`, a "
        "folder of pictures (one subfolder a class), CIFAR or ImageNet16 batches, or a .tar.gz of "
        "batches"
    )


def _from_arrays(images: np.ndarray, labels: np.ndarray | None) -> Images:
    return Images(len(images), labels, lambda positions: [images[i] for i in positions])


def _from_npz(path: Path) -> Images:
    try:
        # Opened here, as np.load does not close a file that is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            found = sorted(archive.files)
            images = archive["images"] if "images" in found else None
            labels = archive["labels"] if "labels" in found else None
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise SwapError(f"images: {path} cannot be read as .npz: {error}") from error
    if images is None:
        raise SwapError(
            f"images: {path} needs an array `images`, found {', '.join(found) or 'none'}"
        )
    floats = np.issubdtype(images.dtype, np.floating)
    if images.ndim != 4 or images.shape[-1] != 3 or not (floats or images.dtype == np.uint8):
        raise SwapError(
            f"images: {path}: `images` is {images.dtype} {images.shape}; expected uint8 (or float "
            "in [0, 1]) of shape (samples, height, width, 3)"
        )
    if floats and images.size and (np.nanmin(images) < 0 or np.nanmax(images) > 1):
        raise SwapError(
            f"images: {path}: `images` is {images.dtype} between {np.nanmin(images):g} and "
            f"{np.nanmax(images):g}; expected floats in [0, 1], or uint8"
        )
    if labels is not None and (
        labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer)
    ):
        raise SwapError(
            f"images: {path}: `labels` is {labels.dtype} {labels.shape}; expected whole numbers of "
            f"shape ({len(images)},)"
        )
    return _from_arrays(images, None if labels is None else labels.astype(np.int64))


def _from_folder(folder: Path) -> Images:
    classes = sorted(child for child in folder.iterdir() if child.is_dir())
    labelled = [
        (file, label) for label, child in enumerate(classes) for file in _pictures_in(child)
    ]
    if labelled:
        files = [file for file, _ in labelled]
        labels = np.array([label for _, label in labelled], dtype=np.int64)
    else:
        files, labels = _pictures_in(folder), None
    if not files:
        raise SwapError(
            f"images: {folder} holds no pictures ({', '.join(sorted(PICTURES))}), neither directly "
            "nor in one subfolder a class"
        )
    return Images(len(files), labels, lambda positions: [_picture(files[i]) for i in positions])


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURES)


def _picture(file: Path) -> np.ndarray:
    try:
        with Image.open(file) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise SwapError(f"images: {file} cannot be read as a picture: {error}") from error
