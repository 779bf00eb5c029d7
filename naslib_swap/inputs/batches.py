"""The original pickled batches of CIFAR-10, CIFAR-100 and ImageNet16-120."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from naslib_swap.errors import BadFile
from naslib_swap.plain_arrays import PICKLED, PickledArray
from naslib_swap.quoting import listed, one_line, shown
from naslib_swap.reading import MOST_BYTES, damage, read_bytes
from naslib_swap.restricted_pickle import load_pickle

TRAINING_BATCHES = (
    tuple(f"data_batch_{i}" for i in range(1, 6)),
    tuple(f"train_data_batch_{i}" for i in range(1, 11)),
    ("train",),
)
"""File names of the training set, in order: CIFAR-10, ImageNet16, CIFAR-100."""

IMAGENET16_CLASSES = 120
"""ImageNet16-120 keeps the labels 1..120 of downsampled ImageNet (Dong and Yang, 2020)."""

_LABEL_KEYS = ("labels", "fine_labels")

_MOST_ARCHIVED = 1 << 31
_MOST_MEMBERS = 10_000
_COMPRESSED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
"""How each compressed file begins."""


def is_batch_folder(path: Path) -> bool:
    """Whether a folder holds the first training batch of one of the data sets."""
    return any(os.path.isfile(path / names[0]) for names in TRAINING_BATCHES)


def is_batch_file(path: Path) -> bool:
    """Whether a file is called as a training batch is, or is an archive of them."""
    return path.name.endswith((".tar.gz", ".tgz", ".tar")) or any(
        path.name in names for names in TRAINING_BATCHES
    )


def read_batches(path: Path, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Read images and labels in the order of the training set.

    Parameters
    ----------
    path
        A folder of batches, one batch, or the downloaded ``.tar.gz``.
    limit
        Reading stops after the batch that brings this number of images; None reads all.

    Returns
    -------
    images : numpy.ndarray
        uint8 [n, H, W, 3].
    labels : numpy.ndarray
        int64 [n].

    Raises
    ------
    BadFile
        A file is damaged, too large, or no batch of images.
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
    if os.path.isdir(path):
        names = next(names for names in TRAINING_BATCHES if os.path.isfile(path / names[0]))
        # A user may keep only the first batches; a gap in the middle would change the order.
        present = [name for name in names if os.path.isfile(path / name)]
        if present != list(names[: len(present)]):
            raise BadFile(
                f"{one_line(path)}: batches are missing between {present[0]} and {present[-1]}"
            )
        for name in present:
            yield one_line(path / name), read_bytes(path / name)
    elif path.name.endswith((".tar.gz", ".tgz", ".tar")):
        yield from _archived(path)
    else:
        yield one_line(path), read_bytes(path)


def _archived(path: Path) -> Iterator[tuple[str, bytes]]:
    name = one_line(path)
    with damage(f"{name} cannot be read as a tar archive"), open(path, "rb") as file:
        begin = file.read(2)
        file.seek(0)
        with _COMPRESSED.get(begin, _as_it_is)(file) as content:
            # tarfile decompresses nothing itself, so that all that it reads counts.
            yield from _members(tarfile.TarFile(fileobj=_Budget(content, name)), name)  # type: ignore[arg-type]


def _as_it_is(file: IO[bytes]) -> IO[bytes]:
    return file


def _members(archive: tarfile.TarFile, name: str) -> Iterator[tuple[str, bytes]]:
    # The archive's members are not in the order of the training set.
    members: dict[str, tarfile.TarInfo] = {}
    for count, member in enumerate(archive, start=1):
        members[PurePosixPath(member.name).name] = member
        if count > _MOST_MEMBERS:
            raise BadFile(f"{name} holds more than {_MOST_MEMBERS:,} files")
    names = next((names for names in TRAINING_BATCHES if names[0] in members), None)
    if names is None:
        raise BadFile(
            f"{name} holds no training batch: expected data_batch_1, train or "
            f"train_data_batch_1, found {listed(sorted(members)) or 'nothing'}"
        )
    for batch in names:
        if batch in members:
            # Links may lead in a circle, and devices never end.
            if not members[batch].isreg():
                raise BadFile(f"{name}: {batch} is no file")
            if members[batch].size > MOST_BYTES:
                raise BadFile(
                    f"{name}: {batch} has {members[batch].size:,} bytes; a batch has at most "
                    f"{MOST_BYTES:,}"
                )
            file = archive.extractfile(members[batch])
            assert file is not None
            yield f"{name}: {batch}", file.read()


class _Budget:
    """A file for `tarfile` that refuses to be read beyond `_MOST_ARCHIVED` bytes."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name

    def read(self, size: int) -> bytes:
        self._check(self._file.tell() + size)
        return self._file.read(size)

    def seek(self, position: int) -> int:
        self._check(position)
        return self._file.seek(position)

    def tell(self) -> int:
        return self._file.tell()

    def _check(self, position: int) -> None:
        if position > _MOST_ARCHIVED:
            raise BadFile(
                f"{self._name} holds more than {_MOST_ARCHIVED:,} bytes; no archive of batches does"
            )


def _decoded(content: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    batch = load_pickle(content, PICKLED, what=name, encoding="bytes")
    if not isinstance(batch, dict):
        raise BadFile(f"{name}: expected a dict with data and labels, found {type(batch).__name__}")
    entries: dict[str, Any] = {
        key.decode("latin1") if isinstance(key, bytes) else str(key): value
        for key, value in batch.items()
    }
    key = next((key for key in _LABEL_KEYS if key in entries), None)
    if "data" not in entries or key is None:
        raise BadFile(
            f"{name}: expected the entries data and labels (or fine_labels), "
            f"found {listed(sorted(entries))}"
        )
    data, labels = _array(entries["data"], name), _array(entries[key], name)
    side = round((data.shape[1] / 3) ** 0.5) if data.ndim == 2 else 0
    if (
        data.dtype != np.uint8
        or not side
        or side * side * 3 != data.shape[1]
        or labels.shape != data.shape[:1]
        or labels.dtype.kind not in "iu"
    ):
        raise BadFile(
            f"{name}: expected data as uint8 [n, 3 * H * W] and n whole numbers as labels, found "
            f"data {data.dtype} {data.shape} and labels {labels.dtype} {labels.shape}"
        )
    images = data.reshape(-1, 3, side, side).transpose(0, 2, 3, 1)
    labels = labels.astype(np.int64)
    if side == 16:
        kept = labels <= IMAGENET16_CLASSES
        images, labels = images[kept], labels[kept] - 1
    return images, labels


def _array(value: Any, name: str) -> np.ndarray:
    if isinstance(value, PickledArray):
        return value.array
    # NumPy would make an array of whatever is in a list, and of what is in that.
    if isinstance(value, list) and all(type(item) is int and abs(item) < 1 << 62 for item in value):
        return np.array(value, dtype=np.int64)
    raise BadFile(
        f"{name}: expected an array of numbers, or a list of whole numbers, found {shown(value)}"
    )
