"""Search spaces, built natively: NASLib is not needed for any of them."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from naslib_swap.errors import SwapError
from naslib_swap.spaces.protocol import Arch, SearchSpace

__all__ = ["Arch", "SearchSpace", "get", "names"]

_HOMES = {
    "darts": ("darts", "Darts"),
    "nasbench101": ("nasbench101", "NasBench101"),
    "nasbench201": ("nasbench201", "NasBench201"),
    "nasbench301": ("nasbench301", "NasBench301"),
    "transbench101_macro": ("transbench101", "TransBench101Macro"),
    "transbench101_micro": ("transbench101", "TransBench101Micro"),
}


def names() -> tuple[str, ...]:
    """Names of all search spaces, sorted."""
    return tuple(sorted(_HOMES))


@cache
def get(name: str) -> SearchSpace:
    """Return the search space of that name; SwapError when there is none."""
    if name not in _HOMES:
        raise SwapError(f"there is no search space {name!r}: expected one of {', '.join(names())}")
    module, attribute = _HOMES[name]
    space: SearchSpace = getattr(import_module(f"{__name__}.{module}"), attribute)()
    return space
