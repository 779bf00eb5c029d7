"""Images from the HuggingFace hub, or from a local data set that `datasets` reads."""

from __future__ import annotations

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
    try:
        import datasets
    except ImportError as error:
        raise SwapError(
            f"hf:{name} needs the package datasets: pip install datasets; or use local files "
            "(path=...) or the source 'natural'"
        ) from error
    try:
        stream = datasets.load_dataset(name, split="train", streaming=True)
        if order == "random":
            stream = stream.shuffle(seed=seed, buffer_size=10_000)
        rows = list(stream.take(samples))
    except Exception as error:
        # The library raises whatever its many storage layers do.
        reason = one_line(error, 200)
        raise BadFile(
            f"the data set {name!r} could not be read from the HuggingFace hub "
            f"({type(error).__name__}: {reason}); "
            "without a network, use local files (path=..., or NASLIB_SWAP_DATA) or the source "
            "'natural'"
        ) from error
    if len(rows) < samples:
        raise BadFile(f"hf:{name} holds {len(rows)} training images; {samples} were asked for")
    return _columns(rows, name)


def _columns(rows: list[dict], name: str) -> tuple[list[np.ndarray], np.ndarray | None]:
    pictures = next((key for key in ("image", "img") if key in rows[0]), None)
    if pictures is None:
        raise BadFile(f"hf:{name}: expected a column image or img, found {listed(rows[0])}")
    labels = next((key for key in ("label", "fine_label", "labels") if key in rows[0]), None)
    with damage(f"hf:{name}: a picture cannot be read"):
        images = [np.asarray(row[pictures].convert("RGB")) for row in rows]
    if labels is None:
        return images, None
    return images, np.array([row[labels] for row in rows], dtype=np.int64)
