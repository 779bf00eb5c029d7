"""The plain type that carries images to the scores."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from naslib_swap.errors import BadFile


@dataclass(frozen=True, eq=False)
class Minibatch:
    """Images and labels of one minibatch, normalised.

    Attributes
    ----------
    images
        float32 [S, C, H, W], or [S, P, C, H, W] for images cut into P patches.
    labels
        int64 [S].
    source
        Where the images come from.
    digest
        Identifies the exact numbers.
    labels_are_real
        False where the labels were drawn from the seed.
    """

    images: torch.Tensor
    labels: torch.Tensor
    source: str
    digest: str
    labels_are_real: bool


def make_minibatch(
    images: np.ndarray, labels: np.ndarray, *, source: str, labels_are_real: bool
) -> Minibatch:
    """Freeze arrays into a minibatch.

    Parameters
    ----------
    images
        [S, C, H, W] or [S, P, C, H, W], normalised.
    labels
        [S], whole numbers.
    source, labels_are_real
        See `Minibatch`.

    Raises
    ------
    BadFile
        A pixel is NaN or infinite.
    """
    images = np.ascontiguousarray(images, dtype="<f4")
    finite = np.isfinite(images.reshape(len(images), -1)).all(axis=1)
    if not finite.all():
        raise BadFile(
            f"{source}: {(~finite).sum()} of {len(images)} images hold NaN or infinite pixels "
            f"(the first is image {int(np.argmin(finite))}); expected finite numbers"
        )
    return Minibatch(
        images=torch.from_numpy(images),
        labels=torch.from_numpy(labels.astype(np.int64)),
        source=source,
        digest=digest(images),
        labels_are_real=labels_are_real,
    )


def digest(images: np.ndarray) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the little-endian float32 pixels."""
    return hashlib.sha256(np.ascontiguousarray(images, dtype="<f4").tobytes()).hexdigest()[:16]


def labels_digest(labels: torch.Tensor) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the little-endian int64 labels."""
    return hashlib.sha256(labels.numpy().astype("<i8").tobytes()).hexdigest()[:16]


def drawn_labels(samples: int, num_classes: int, seed: int) -> np.ndarray:
    """Labels for images that have none: uniform in [0, num_classes), int64 [S], from `seed`.

    The stream is apart from the one that chooses images, so that neither depends on the other.
    """
    return np.random.default_rng([seed, 1]).integers(num_classes, size=samples)
