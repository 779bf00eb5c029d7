"""What the networks of each benchmark task see and give: shapes, classes, variants.

Shapes are those of NASLib's data loaders (branch Develop, utils/dataset.py); the class counts of
TransNAS-Bench-101 are those of the networks NASLib builds.
"""

from __future__ import annotations

from dataclasses import dataclass

from naslib_swap.errors import SwapError


@dataclass(frozen=True)
class TaskSpec:
    """One task of one search space."""

    input_shape: tuple[int, ...]
    """Shape of one sample: (C, H, W), or (9, C, H, W) for jigsaw, nine tiles of an image."""
    num_classes: int
    """Outputs of the network: classes, regression values, or channels of the output image."""
    variant: str | None = None
    """The variant of the space's networks to build; None for its default."""
    target: str = "class"
    """What a sample's target is: "class" (an int), "values" (num_classes floats), "class map"
    (an int at each pixel) or "image" (num_classes channels)."""

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return self.input_shape[-3]


def _transbench101() -> dict[str, TaskSpec]:
    image = (3, 256, 256)
    return {
        "class_scene": TaskSpec(image, 63, "class_scene"),
        "class_object": TaskSpec(image, 100, "class_object"),
        "jigsaw": TaskSpec((9, 3, 64, 64), 1000, "jigsaw"),
        "room_layout": TaskSpec(image, 9, "room_layout", "values"),
        "segmentsemantic": TaskSpec(image, 17, "segmentsemantic", "class map"),
        "normal": TaskSpec(image, 3, "normal", "image"),
        "autoencoder": TaskSpec(image, 3, "autoencoder", "image"),
    }


TASKS: dict[tuple[str, str], TaskSpec] = {
    ("nasbench101", "cifar10"): TaskSpec((3, 32, 32), 10),
    ("nasbench201", "cifar10"): TaskSpec((3, 32, 32), 10),
    ("nasbench201", "cifar100"): TaskSpec((3, 32, 32), 100),
    ("nasbench201", "ImageNet16-120"): TaskSpec((3, 16, 16), 120),
    ("nasbench301", "cifar10"): TaskSpec((3, 32, 32), 10),
    ("darts", "cifar10"): TaskSpec((3, 32, 32), 10),
    ("darts", "imagenet"): TaskSpec((3, 224, 224), 1000, "imagenet"),
    **{
        (f"transbench101_{level}", task): spec
        for level in ("micro", "macro")
        for task, spec in _transbench101().items()
    },
}
"""(space, task) -> what its networks see and give."""


def get_task(space: str, task: str) -> TaskSpec:
    """Return the task of a space; SwapError when there is none."""
    if (space, task) not in TASKS:
        known = ", ".join(name for owner, name in TASKS if owner == space)
        raise SwapError(
            f"there is no task {task!r} of search space {space!r}: "
            + (f"expected one of {known}" if known else "that space is unknown")
        )
    return TASKS[space, task]
