"""The one reader of YAML."""

from __future__ import annotations

from typing import Any

import yaml

from naslib_swap.nesting import check_nesting
from naslib_swap.reading import damage

_MOST_MERGED = 10_000
"""Entries of one mapping that others are merged into; merges of merges grow without end."""


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
    SwapError
        It is no YAML, names a type of its own, nests too deeply or expands too far.
    """
    with damage(f"{name} is no YAML"):
        value = yaml.load(text, Loader=_Loader)
    check_nesting(value, name)
    return value


class _Loader(yaml.SafeLoader):
    def flatten_mapping(self, node: Any) -> None:
        super().flatten_mapping(node)
        if len(node.value) > _MOST_MERGED:
            raise ValueError(f"a mapping has more than {_MOST_MERGED:,} entries")
