"""The one reader of YAML."""

from __future__ import annotations

from typing import Any

import yaml

from naslib_swap.nesting import check_nesting
from naslib_swap.reading import damage


def parse_yaml(text: str, name: str) -> Any:
    """Parse YAML of plain data.

    Parameters
    ----------
    text
        The document.
    name
        What messages call it.

    Raises
    ------
    BadFile
        It is no YAML, names a type of its own, nests too deeply or expands too far.
    """
    with damage(f"{name} is no YAML"):
        value = yaml.safe_load(text)
    check_nesting(value, name)
    return value
