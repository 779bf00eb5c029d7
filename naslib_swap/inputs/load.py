"""One door to every kind of minibatch."""

from __future__ import annotations

import math
import os
import warnings

import numpy as np

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.inputs import datasets, fitting, natural
from naslib_swap.inputs.minibatch import Minibatch, drawn_labels, make_minibatch
from naslib_swap.quoting import one_line, shown

ORDERS = ("first", "random")

MOST_NUMBERS = 2**30
"""Of a minibatch: 4 GiB, or 7,000 images of 224 x 224 pixels."""


def sources() -> tuple[str, ...]:
    """Names that `load` knows; besides them it takes a path, or `hf:` and a dataset's name."""
    return ("natural", *datasets.DATASETS, "noise")


def check(
    source: str | os.PathLike[str],
    *,
    samples: int,
    shape: tuple[int, ...],
    path: str | os.PathLike[str] | None = None,
    order: str = "first",
) -> None:
    """Complain of what is wrong with a minibatch that is asked for, as far as no file need be read.

    The parameters are those of `load`.

    Raises
    ------
    SwapError
        An unknown source or order, a wrong shape, more numbers than there may be, no such file.
    """
    fitting.layout(shape)
    if not isinstance(samples, (int, np.integer)) or samples < 1:
        raise BadArgument(f"samples={samples!r}: expected a whole number of at least 1")
    numbers = samples * math.prod(int(n) for n in shape)
    if numbers > MOST_NUMBERS:
        raise BadArgument(
            f"{samples:,} images of shape {tuple(shape)}: these are {numbers:,} numbers, expected "
            f"at most {MOST_NUMBERS:,}. Take fewer samples or fewer pixels."
        )
    if order not in ORDERS:
        raise BadArgument(f"order={order!r}: expected 'first' or 'random'")
    name, hub = str(source).lower(), str(source).startswith("hf:")
    if path is not None and name in ("natural", "noise"):
        raise BadArgument(
            f"source {name!r} reads no file, but path={shown(str(path))} was given; drop one"
        )
    if name not in sources() and (path is not None or not (hub or os.path.exists(source))):
        raise BadArgument(
            f"unknown source of images {shown(str(source))}: expected one of "
            f"{', '.join(sources())}, the path of a file or folder of images, or hf:NAME"
        )
    if path is not None and not (str(path).startswith("hf:") or os.path.exists(path)):
        raise BadFile(f"images: there is no file or folder {one_line(path)}")


def load(
    source: str | os.PathLike[str] = "natural",
    *,
    samples: int,
    shape: tuple[int, ...] = (3, 32, 32),
    num_classes: int = 10,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    order: str = "first",
) -> Minibatch:
    """Load a normalised minibatch of `samples` images of `shape`.

    Parameters
    ----------
    source
        ``"natural"`` (crops of scikit-learn's photographs), ``"cifar10"``, ``"cifar100"``,
        ``"imagenet16-120"``, ``"imagenet"``, ``"noise"``, or the path of a file or folder of
        images.
    samples
        S, the number of images.
    shape
        (C, H, W), or (P, C, H, W) for images cut into P shuffled patches (jigsaw). Images of data
        sets that are larger are reduced and their centre is cut; smaller ones are an error.
    num_classes
        Labels lie in [0, num_classes).
    seed
        Chooses the crops, the random order, the noise, the patches and the drawn labels.
    path
        Where the files of the data set are: an ``.npz``, the original batches, an image folder, or
        ``hf:`` followed by the name of a HuggingFace data set. Without it, see
        `naslib_swap.inputs.datasets.find`.
    order
        ``"first"`` takes the first S training images, as the SWAP protocol does; ``"random"``
        draws S different ones from `seed`. Natural crops and noise are always drawn.

    Returns
    -------
    Minibatch
        Images are normalised channelwise, (x - mean) / std with x in [0, 1], by the usual mean and
        std of the data set; by those of ImageNet for a bare path; by those of the two photographs
        for natural crops. Noise is N(0, 1).

    Raises
    ------
    SwapError
        An unknown source or order, a wrong shape, too few images, a file that cannot be read, is
        damaged, too large or not the original, NaN pixels, or labels that `num_classes` does not
        hold.
    """
    check(source, samples=samples, shape=shape, path=path, order=order)
    wanted = fitting.layout(shape)
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise BadArgument(f"seed={seed!r}: expected a whole number of at least 0")
    if num_classes < 1:
        raise BadArgument(f"num_classes={num_classes}: expected at least 1")
    name = str(source).lower()
    if name == "noise":
        warnings.warn(
            "random noise is no substitute for images: on DARTS-1000 it costs 0.2 of rank "
            "correlation; the source 'natural' needs no data set either",
            stacklevel=2,
        )
        whole = (samples, 3, wanted.height, wanted.width)
        images = np.random.default_rng([seed, 0]).standard_normal(whole, dtype=np.float32)
        labels = None
    elif name == "natural":
        crops = natural.natural_crops(samples, wanted, seed)
        images, labels = fitting.normalised(crops, natural.statistics()), None
    else:
        dataset = datasets.DATASETS.get(name)
        if dataset is None:
            dataset, path = datasets.ANY, source
        raw = datasets.read(dataset, path, samples=samples, order=order, seed=seed)
        name = dataset.name if dataset is not datasets.ANY else str(source)
        fitted = datasets.fitted(raw, wanted, name)
        images, labels = fitting.normalised(fitted, dataset.statistics), raw.labels
        if labels is not None:
            datasets.check_labels(labels, num_classes, name)

    return make_minibatch(
        fitting.arranged(images, wanted, seed),
        drawn_labels(samples, num_classes, seed) if labels is None else labels,
        source=name,
        labels_are_real=labels is not None,
    )
