"""Images of a user's own: `.npz` arrays and folders of pictures."""

from __future__ import annotations

import math
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from PIL import Image

from naslib_swap.errors import BadFile
from naslib_swap.inputs import batches
from naslib_swap.plain_arrays import Header, plain_array
from naslib_swap.quoting import listed, one_line
from naslib_swap.reading import MOST_BYTES, damage

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"})

MOST_PIXELS = 1 << 26
"""The most pixels of one picture: 8192 x 8192."""

MOST_ARRAY_BYTES = 1 << 32
"""The most bytes of an array that are read: 4 GiB. In order, only the wanted images are read."""

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM", "TIFF")
"""What a picture may be, whatever its name says: some of Pillow's formats run other programs."""

_FROM_MACOS = "__MACOSX"


class Images(NamedTuple):
    """Images that can be picked by position.

    ``pick`` yields uint8 (or float in [0, 1]) [H, W, 3], one at a time; ``labels`` is int64
    [total], or None where the files have none.
    """

    total: int
    labels: np.ndarray | None
    pick: Callable[[Sequence[int]], Iterator[np.ndarray]]


def open_images(path: Path, limit: int | None) -> Images:
    """Open a file or folder of images.

    Parameters
    ----------
    path
        An ``.npz``, a folder of pictures, a picture, or CIFAR or ImageNet16 batches. Names in a
        folder that begin with a dot are passed over, as are those that macOS adds to archives.
    limit
        Of batches and arrays, no more than this number of images need is read; None reads all.

    Raises
    ------
    BadFile
        There is no such file; it is damaged, too large, or of no known kind.
    """
    if not os.path.exists(path):
        raise BadFile(f"images: there is no file or folder {one_line(path)}")
    if os.path.isdir(path):
        if batches.is_batch_folder(path):
            return _from_arrays(*batches.read_batches(path, limit))
        train = path / "train"
        return _from_folder(train if os.path.isdir(train) else path)
    if path.suffix == ".npz":
        return _from_npz(path, limit)
    if batches.is_batch_file(path):
        return _from_arrays(*batches.read_batches(path, limit))
    if path.suffix.lower() in PICTURES:
        return Images(1, None, lambda _: iter([_picture(path)]))
    raise BadFile(
        f"images: {one_line(path)} is of no known kind; expected an .npz with `images` and "
        "`labels`, a folder of pictures (one subfolder for each class), CIFAR or ImageNet16 "
        "batches, or a .tar.gz of batches"
    )


def _from_arrays(images: np.ndarray, labels: np.ndarray | None, total: int | None = None) -> Images:
    return Images(
        len(images) if total is None else total,
        labels,
        lambda positions: (images[i] for i in positions),
    )


def _from_npz(path: Path, limit: int | None) -> Images:
    name = f"images: {one_line(path)}"
    with damage(f"{name} cannot be read as .npz"), zipfile.ZipFile(path) as archive:
        found = sorted(
            member[: -len(".npy")] for member in archive.namelist() if member.endswith(".npy")
        )
        images, total = _array(archive, "images", limit) if "images" in found else (None, 0)
        labels = _array(archive, "labels", None)[0] if "labels" in found else None
    if images is None:
        raise BadFile(f"{name} needs an array `images`, found {listed(found) or 'none'}")
    floats = np.issubdtype(images.dtype, np.floating)
    if images.ndim != 4 or images.shape[-1] != 3 or not (floats or images.dtype == np.uint8):
        raise BadFile(
            f"{name}: `images` is {images.dtype} {(total, *images.shape[1:])}; expected uint8 (or "
            "float in [0, 1]) of shape (samples, height, width, 3)"
        )
    if floats and images.size and (np.nanmin(images) < 0 or np.nanmax(images) > 1):
        raise BadFile(
            f"{name}: `images` is {images.dtype} between {np.nanmin(images):g} and "
            f"{np.nanmax(images):g}; expected floats in [0, 1], or uint8"
        )
    if labels is not None and (
        labels.shape != (total,) or not np.issubdtype(labels.dtype, np.integer)
    ):
        raise BadFile(
            f"{name}: `labels` is {labels.dtype} {labels.shape}; expected whole numbers of shape "
            f"({total},)"
        )
    return _from_arrays(images, None if labels is None else labels.astype(np.int64), total)


def _array(archive: zipfile.ZipFile, name: str, limit: int | None) -> tuple[np.ndarray, int]:
    """Read an array of a ``.npz``, or its first `limit` rows, and say how many rows it has."""
    with archive.open(f"{name}.npy") as file:
        header = Header(file)
        if not header.shape:
            raise ValueError(f"{name} is a single number")
        total, *row = header.shape
        rows = total if limit is None or header.fortran else min(limit, total)
        size = rows * math.prod(row) * header.dtype.itemsize
        if size > MOST_ARRAY_BYTES:
            raise ValueError(
                f"`{name}` {header.shape} has {size:,} bytes, more than the {MOST_ARRAY_BYTES:,} "
                "that are read"
            )
        raw = _exactly(file, size)
    return plain_array(raw, header.dtype, (rows, *row), header.fortran), total


def _exactly(file: IO[bytes], size: int) -> bytes:
    raw = file.read(size)
    if len(raw) != size:
        raise ValueError(f"an array has {len(raw):,} of the {size:,} bytes that its shape asks for")
    return raw


def _from_folder(folder: Path) -> Images:
    classes = [folder / name for name, is_folder in _entries(folder) if is_folder]
    labelled = [
        (file, label) for label, child in enumerate(classes) for file in _pictures_in(child)
    ]
    if labelled:
        files = [file for file, _ in labelled]
        labels = np.array([label for _, label in labelled], dtype=np.int64)
    else:
        files, labels = _pictures_in(folder), None
    if not files:
        raise BadFile(
            f"images: {one_line(folder)} holds no pictures ({', '.join(sorted(PICTURES))}), "
            "neither directly nor in one subfolder for each class"
        )
    return Images(len(files), labels, lambda positions: (_picture(files[i]) for i in positions))


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """Names in a folder, sorted, and whether they are folders; without those that are hidden."""
    with damage(f"images: {one_line(folder)} cannot be read"), os.scandir(folder) as entries:
        return sorted(
            (entry.name, entry.is_dir())
            for entry in entries
            if not entry.name.startswith(".") and entry.name != _FROM_MACOS
        )


def _pictures_in(folder: Path) -> list[Path]:
    return [
        folder / name
        for name, is_folder in _entries(folder)
        if not is_folder and os.path.splitext(name)[1].lower() in PICTURES
    ]


def _picture(file: Path) -> np.ndarray:
    name = f"images: {one_line(file)} cannot be read as a picture"
    with damage(name), warnings.catch_warnings():
        # Pillow warns of sizes that are refused here anyway.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        if os.path.getsize(file) > MOST_BYTES:
            raise BadFile(f"{name}: it has more than {MOST_BYTES:,} bytes")
        with Image.open(file, formats=_FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise BadFile(
                    f"{name}: it has {width} x {height} pixels, more than {MOST_PIXELS:,}"
                )
            return np.asarray(picture.convert("RGB"))
