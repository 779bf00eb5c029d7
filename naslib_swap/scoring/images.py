"""The images that architectures are scored on: where they come from, and how they are known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from naslib_swap import inputs
from naslib_swap.inputs.minibatch import Minibatch, labels_digest

if TYPE_CHECKING:
    from naslib_swap.spaces import Task


class Digests(NamedTuple):
    """What identifies a minibatch: its pixels, and its labels where a user's file gives them.

    The labels of a known data set follow from the pixels; drawn labels follow from the seed.
    """

    inputs: str
    labels: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, self))


@dataclass(frozen=True)
class Images:
    """Where a minibatch of images comes from; see :func:`naslib_swap.inputs.load`.

    Attributes
    ----------
    source
        The name of a data set, or a path.
    samples
        S, the size of the minibatch.
    path
        Where the data set is.
    order
        ``"first"`` takes the first images, ``"random"`` draws them from the seed.
    resolution
        Height and width in pixels; 0 takes the task's own.
    """

    source: str = "natural"
    samples: int = 16
    path: str | None = None
    order: str = "first"
    resolution: int = 0

    def batch(self, task: Task, seed: int) -> Minibatch:
        """Load the minibatch of a task under a seed; kept, since every architecture sees it."""
        return _loaded(self, self.shape(task), task.num_classes, seed)

    def shape(self, task: Task) -> tuple[int, ...]:
        """Return the shape of one sample."""
        return task.shape_at(self.resolution)

    def digests(self, task: Task, seed: int) -> Digests:
        """Return what identifies the minibatch of a task under a seed; errors as for loading it."""
        batch = self.batch(task, seed)
        own = self.path is not None or self.source.lower() not in inputs.sources()
        labelled = own and batch.labels_are_real
        return Digests(batch.digest, labels_digest(batch.labels) if labelled else "")


@lru_cache(maxsize=16)
def _loaded(images: Images, shape: tuple[int, ...], num_classes: int, seed: int) -> Minibatch:
    return inputs.load(
        images.source,
        samples=images.samples,
        shape=shape,
        num_classes=num_classes,
        seed=seed,
        path=images.path,
        order=images.order,
    )
