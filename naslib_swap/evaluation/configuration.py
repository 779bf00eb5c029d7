"""YAML configurations: files of the user's, or packaged ones by name."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from naslib_swap.errors import SwapError


def names(kind: str) -> tuple[str, ...]:
    """Names of the packaged configurations of a kind: the folders under ``configs/``."""
    folder = resources.files("naslib_swap.configs") / kind
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml")))


def read(config: str, kind: str, called: str) -> dict[str, Any]:
    """Read a configuration: the path of a file, or the name of a packaged one (`names`).

    ``called`` is what an error calls it.

    Raises
    ------
    SwapError
        There is no such file, or it is no YAML mapping.
    """
    packaged = config in names(kind) and not Path(config).is_file()
    source = (
        resources.files("naslib_swap.configs") / kind / f"{config}.yaml"
        if packaged
        else Path(config)
    )
    try:
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SwapError(
            f"cannot read {called}: {' '.join(str(error).split())}. Give a YAML file, or one of "
            f"{', '.join(names(kind))}."
        ) from None
    if not isinstance(content, dict):
        raise SwapError(f"{config} holds {type(content).__name__}, expected options by name.")
    return content
