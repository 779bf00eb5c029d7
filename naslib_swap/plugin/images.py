"""The fixed minibatch of live scores: which images, and where they come from.

First what the user names (`swap.images`), then NASLib's own folder of the data set, then natural
crops, which need no data set.
"""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from naslib_swap.errors import SwapError

if TYPE_CHECKING:
    from naslib_swap.inputs.minibatch import Minibatch

logger = logging.getLogger("naslib.swap")

FOLDERS: dict[str, tuple[str, str]] = {
    "cifar10": ("cifar10", "cifar-10-batches-py"),
    "cifar100": ("cifar100", "cifar-100-python"),
    "ImageNet16-120": ("imagenet16-120", "ImageNet16-120"),
}
"""NASLib's data set -> our source, and the folder below `naslib/data` that NASLib reads."""


@functools.lru_cache(maxsize=8)
def minibatch(
    dataset: str,
    shape: tuple[int, ...],
    num_classes: int,
    samples: int,
    seed: int,
    images: str = "",
    data: Optional[Path] = None,
) -> Minibatch:
    """Load the minibatch of a data set, and say in the log where it is from.

    `data` is NASLib's data folder, `images` a source or path that the user names. Images are
    float32 [samples, *shape]. Raises SwapError where a named source cannot be read.
    """
    from naslib_swap import inputs

    source, path = _source(dataset, images, data)
    batch = inputs.load(
        source, samples=samples, shape=shape, num_classes=num_classes, seed=seed, path=path
    )
    where = f" from {path}" if path else ""
    logger.info(
        "swap scores use %d images %s of %s%s (digest %s)",
        samples,
        "x".join(map(str, shape)),
        batch.source,
        where,
        batch.digest,
    )
    return batch


def _source(dataset: str, images: str, data: Optional[Path]) -> tuple[str, Optional[Path]]:
    if images:
        return images, None
    if dataset in FOLDERS and data is not None:
        source, folder = FOLDERS[dataset]
        if (data / folder).is_dir():
            return source, data / folder
    return "natural", None


def stand_in(config: Any, error: Exception) -> Minibatch:
    """Return a minibatch for NASLib's own measures where NASLib has no images.

    Raises SwapError for a data set whose images or labels have no fixed form.
    """
    from naslib_swap.spaces.tasks import TASKS

    spec = TASKS.get((config.search_space, config.dataset))
    if spec is None or spec.target != "class" or len(spec.input_shape) != 3:
        raise SwapError(
            f"NASLib cannot load the images of {config.dataset}, and this measure needs them: "
            f"{' '.join(str(error).split())}"
        ) from error
    size = int(config.batch_size if hasattr(config, "batch_size") else config.search.batch_size)
    return minibatch(config.dataset, spec.input_shape, spec.num_classes, size, int(config.seed))
