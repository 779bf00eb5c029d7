"""Data sets by name: their statistics, and where their files may lie."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.ground_truth import catalogue
from naslib_swap.inputs.files import Images, open_images
from naslib_swap.inputs.fitting import Layout, Statistics, centre_fitted
from naslib_swap.quoting import one_line


class Dataset(NamedTuple):
    """A data set; `patterns` are looked for in each data folder, the first found is used."""

    name: str
    statistics: Statistics
    patterns: tuple[str, ...]
    hub: str
    download: str | None


IMAGENET_STATISTICS = Statistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "cifar10",
            Statistics((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
            ("cifar-10-batches-py", "cifar-10-python.tar.gz", "cifar10.npz", "cifar10[!0]*.npz"),
            "uoft-cs/cifar10",
            "cifar10",
        ),
        Dataset(
            "cifar100",
            Statistics((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
            ("cifar-100-python", "cifar-100-python.tar.gz", "cifar100*.npz"),
            "uoft-cs/cifar100",
            "cifar100",
        ),
        Dataset(
            "imagenet16-120",
            Statistics((0.4811, 0.4575, 0.4079), (0.2479, 0.2402, 0.2553)),
            ("ImageNet16", "ImageNet16-120", "imagenet16*120*.npz"),
            "",
            None,
        ),
        Dataset(
            "imagenet", IMAGENET_STATISTICS, ("imagenet", "ILSVRC2012", "imagenet1k*.npz"), "", None
        ),
    )
}
"""Means and standard deviations are those that NAS-Bench-201 and the field train with."""

ANY = Dataset("", IMAGENET_STATISTICS, (), "", None)
"""A file or folder without a name: normalised as ImageNet is."""


class Raw(NamedTuple):
    """Picked images, [H, W, 3] each, and their labels, int64 [S], where there are any.

    Images are read while they are fitted, so that never more than one is here at full size.
    """

    images: Iterable[np.ndarray]
    labels: np.ndarray | None


def find(dataset: Dataset) -> Path:
    """Find the files of a data set: in NASLIB_SWAP_DATA and its `images/`, then among downloads.

    Raises
    ------
    BadFile
        They are nowhere (the message says what to do); or the archive that was found is not the
        original.
    """
    original = catalogue.entry(dataset.download) if dataset.download else None
    for folder in _folders():
        for pattern in dataset.patterns:
            found = sorted(folder.glob(pattern))
            if found:
                if original is not None and found[0].name == Path(original.path).name:
                    catalogue.confirm(original, found[0])
                return found[0]
    ways = [f"put {dataset.patterns[0]} or an .npz into the folder NASLIB_SWAP_DATA, or pass path="]
    if dataset.download:
        ways.append(f"run `naslib-swap data fetch {dataset.download}`")
    if dataset.hub:
        ways.append(f"pass path='hf:{dataset.hub}' to read it from the HuggingFace hub")
    ways.append("use the source 'natural', which needs no files")
    raise BadFile(f"{dataset.name} images were not found: {'; or '.join(ways)}")


def read(
    dataset: Dataset, path: str | os.PathLike[str] | None, *, samples: int, order: str, seed: int
) -> Raw:
    """Read `samples` images in the asked order from `path`, or from where `find` finds them."""
    if path is not None and str(path).startswith("hf:"):
        from naslib_swap.inputs.hub import read_hub

        return Raw(*read_hub(str(path)[len("hf:") :], samples=samples, order=order, seed=seed))
    place = find(dataset) if path is None else Path(path)
    opened = open_images(place, samples if order == "first" else None)
    if opened.total < samples:
        raise BadFile(
            f"{one_line(place)} holds {opened.total} images; {samples} were asked for. Ask for no "
            "more than there are"
        )
    positions = _positions(opened, samples, order, seed)
    labels = None if opened.labels is None else opened.labels[positions]
    return Raw(opened.pick(positions), labels)


def fitted(raw: Raw, wanted: Layout, name: str) -> np.ndarray:
    """Bring images to the wanted height and width, [S, H, W, 3]; BadArgument if one is smaller."""
    images = []
    for image in raw.images:
        height, width = image.shape[:2]
        if (height, width) != (wanted.height, wanted.width):
            if height < wanted.height or width < wanted.width:
                raise BadArgument(
                    f"{name}: an image is {height}x{width} pixels, the input shape asks for "
                    f"{wanted.height}x{wanted.width}; ask for an input shape of 3,{height},{width} "
                    "or less"
                )
            if image.dtype != np.uint8:
                raise BadFile(
                    f"{name}: images are {image.dtype} and {height}x{width} pixels; only uint8 "
                    f"images are reduced to the {wanted.height}x{wanted.width} asked for"
                )
            image = centre_fitted(image, wanted.height, wanted.width)
        images.append(image)
    return np.stack(images)


def check_labels(labels: np.ndarray, num_classes: int, name: str) -> None:
    """Raise BadFile when a label lies outside [0, num_classes)."""
    if labels.min() < 0 or labels.max() >= num_classes:
        raise BadFile(
            f"{name}: labels lie between {labels.min()} and {labels.max()}, but num_classes is "
            f"{num_classes}; give images of that many classes, or (in Python) "
            f"num_classes={labels.max() + 1} or more"
        )


def _positions(opened: Images, samples: int, order: str, seed: int) -> list[int]:
    if order == "first":
        return list(range(samples))
    return np.random.default_rng([seed, 0]).permutation(opened.total)[:samples].tolist()


def _folders() -> Iterator[Path]:
    named = catalogue.data_folder()
    if named is not None:
        yield named
        yield named / "images"
    yield catalogue.cache_folder() / "images"
