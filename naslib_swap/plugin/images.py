"""Which images are looked at: those of live scores, and those that NASLib's own measures lack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from naslib_swap.errors import BadArgument, BadFile

if TYPE_CHECKING:
    from naslib_swap.inputs.minibatch import Minibatch
    from naslib_swap.plugin.settings import Settings

DATASET = "dataset"
"""What `inputs` says for NASLib's own data set."""

FOLDERS: dict[str, tuple[str, str]] = {
    "cifar10": ("cifar10", "cifar-10-batches-py"),
    "cifar100": ("cifar100", "cifar-100-python"),
    "ImageNet16-120": ("imagenet16-120", "ImageNet16-120"),
}
"""NASLib's data set -> our source, and the folder below `naslib/data` that NASLib reads."""


def placed(wanted: Settings, dataset: str, data: Optional[Path]) -> Settings:
    """Return settings whose images are found without NASLib.

    Parameters
    ----------
    wanted
        Their `inputs` may be the data set: by that word, or by our name of it.
    dataset
        NASLib's name of the data set.
    data
        NASLib's data folder. The data set's files are taken from there; where they are not there,
        from where every command looks for them.

    Raises
    ------
    BadArgument
        The data set is asked for, and is none whose files are known.
    """
    source, folder = FOLDERS.get(dataset, ("", ""))
    if wanted.inputs not in (DATASET, source) or wanted.inputs_path is not None:
        return wanted
    if not source:
        raise BadArgument(
            f"got inputs {DATASET!r}, but the files of {dataset} are not known: expected natural, "
            f"the path of a folder of images, or one of the data sets {', '.join(FOLDERS)}."
        )
    path = data / folder if data is not None else None
    there = path is not None and path.is_dir()
    return replace(wanted, inputs=source, inputs_path=str(path) if there else None)


def stand_in(config: Any, error: Exception) -> Minibatch:
    """Return natural crops for NASLib's own measures where NASLib has no images.

    Raises
    ------
    BadFile
        A data set whose images or labels have no fixed form.
    """
    from naslib_swap import inputs, spaces

    known = spaces.get(config.search_space).tasks if config.search_space in spaces.names() else {}
    task = known.get(config.dataset)
    if task is None or task.target != "class" or len(task.input_shape) != 3:
        raise BadFile(
            f"NASLib cannot load the images of {config.dataset}, and this measure needs them: "
            f"{' '.join(str(error).split())}"
        ) from error
    size = int(config.batch_size if hasattr(config, "batch_size") else config.search.batch_size)
    return inputs.load(
        "natural",
        samples=size,
        shape=task.input_shape,
        num_classes=task.num_classes,
        seed=int(config.seed),
    )
