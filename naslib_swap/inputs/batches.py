"""The original pickled batches of CIFAR-10, CIFAR-100 and ImageNet16-120."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from naslib_swap.errors import SwapError
from naslib_swap.restricted_pickle import Allowed, load_pickle

TRAINING_BATCHES = (
    tuple(f"data_batch_{i}" for i in range(1, 6)),
    tuple(f"train_data_batch_{i}" for i in range(1, 11)),
    ("train",),
)
"""File names of the training set, in order: CIFAR-10, ImageNet16, CIFAR-100."""

IMAGENET16_CLASSES = 120
"""ImageNet16-120 keeps the labels 1..120 of downsampled ImageNet (Dong and Yang, 2020)."""

_LABEL_KEYS = ("labels", "fine_labels")


def is_batch_folder(path: Path) -> bool:
    """Whether a folder holds the first training batch of one of the data sets."""
    return any((path / names[0]).is_file() for names in TRAINING_BATCHES)


def is_batch_file(path: Path) -> bool:
    """Whether a file is called as a training batch is, or is an archive of them."""
    return path.name.endswith((".tar.gz", ".tgz", ".tar")) or any(
        path.name in names for names in TRAINING_BATCHES
    )


def read_batches(path: Path, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Read images, uint8 [n, H, W, 3], and labels, int64 [n], in the order of the training set.

    `path` is a folder of batches, one batch, or the downloaded `.tar.gz`. Reading stops after the
    batch that brings the `limit`-th image.
    """
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    count = 0
    for name, content in _contents(path):
        batch, batch_labels = _decoded(content, name)
        images.append(batch)
        labels.append(batch_labels)
        count += len(batch)
        if limit is not None and count >= limit:
            break
    return np.concatenate(images), np.concatenate(labels)


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        names = next(names for names in TRAINING_BATCHES if (path / names[0]).is_file())
        # A user may keep only the first batches; a gap in the middle would change the order.
        present = [name for name in names if (path / name).is_file()]
        if present != list(names[: len(present)]):
            raise SwapError(f"{path}: batches are missing between {present[0]} and {present[-1]}")
        for name in present:
            yield os.fspath(path / name), _bytes(path / name)
    elif path.name.endswith((".tar.gz", ".tgz", ".tar")):
        yield from _archived(path)
    else:
        yield os.fspath(path), _bytes(path)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SwapError(f"{path} cannot be read: {error}") from error


def _archived(path: Path) -> Iterator[tuple[str, bytes]]:
    # The archive's members are not in the order of the training set.
    try:
        with tarfile.open(path) as archive:
            members = {PurePosixPath(member.name).name: member for member in archive.getmembers()}
            names = next((names for names in TRAINING_BATCHES if names[0] in members), None)
            if names is None:
                raise SwapError(
                    f"{path} holds no training batch: expected data_batch_1, train or "
                    f"train_data_batch_1, found {', '.join(sorted(members)[:8])}"
                )
            for name in names:
                if name in members:
                    file = archive.extractfile(members[name])
                    if file is None:
                        raise SwapError(f"{path}: {name} is no file")
                    yield f"{path}: {name}", file.read()
    except (OSError, EOFError, tarfile.TarError) as error:
        raise SwapError(f"{path} cannot be read as a tar archive: {error}") from error


def _decoded(content: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    batch = load_pickle(content, _NUMPY, what=name, encoding="bytes")
    if not isinstance(batch, dict):
        raise SwapError(
            f"{name}: expected a dict with data and labels, found {type(batch).__name__}"
        )
    entries: dict[str, Any] = {
        key.decode("latin1") if isinstance(key, bytes) else str(key): value
        for key, value in batch.items()
    }
    key = next((key for key in _LABEL_KEYS if key in entries), None)
    if "data" not in entries or key is None:
        raise SwapError(
            f"{name}: expected the entries data and labels (or fine_labels), "
            f"found {', '.join(sorted(entries))}"
        )
    data, labels = np.asarray(entries["data"]), np.asarray(entries[key])
    side = round((data.shape[1] / 3) ** 0.5) if data.ndim == 2 else 0
    if (
        data.dtype != np.uint8
        or side * side * 3 != data.shape[-1]
        or labels.shape != data.shape[:1]
    ):
        raise SwapError(
            f"{name}: expected data as uint8 [n, 3 * H * W] and n labels, found data "
            f"{data.dtype} {data.shape} and labels {labels.shape}"
        )
    images = data.reshape(-1, 3, side, side).transpose(0, 2, 3, 1)
    labels = labels.astype(np.int64)
    if side == 16:
        kept = labels <= IMAGENET16_CLASSES
        images, labels = images[kept], labels[kept] - 1
    return images, labels


def _dtype(spec: Any, align: Any = False, copy: Any = False) -> np.dtype:
    """Stand in for numpy.dtype: Python 2 wrote 0 and 1 where NumPy now wants booleans."""
    if not isinstance(spec, (str, bytes)):
        raise ValueError(f"unexpected dtype {spec!r}")
    return np.dtype(
        spec.decode("ascii") if isinstance(spec, bytes) else spec, bool(align), bool(copy)
    )


def _encode(text: str, encoding: str) -> bytes:
    """Stand in for _codecs.encode, by which protocol 2 writes bytes."""
    if encoding != "latin1":
        raise ValueError(f"unexpected encoding {encoding!r}")
    return text.encode("latin1")


def _reconstruct(kind: type, shape: tuple[int, ...], code: bytes | str) -> np.ndarray:
    """Stand in for numpy's function of that name: an empty array, which BUILD then fills."""
    if kind is not np.ndarray or tuple(shape) != (0,):
        raise ValueError("unexpected kind of array")
    return np.ndarray((0,), dtype=np.int8)


_NUMPY: Allowed = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("_codecs", "encode"): _encode,
}
"""What the batches need: arrays of numbers."""
