"""Search spaces, built natively: none of them needs NASLib.

Each module defines ``SPACE``, one space or several. A space of your own is one file; an entry point
in the group ``naslib_swap.spaces`` (or `register`) makes it known to every command.
"""

from __future__ import annotations

from naslib_swap.registry import Registry
from naslib_swap.spaces.space import Arch, CellGraph, Moves, SearchDefaults, SearchSpace, Task

__all__ = [
    "SPACES",
    "Arch",
    "CellGraph",
    "Moves",
    "SearchDefaults",
    "SearchSpace",
    "Task",
    "get",
    "names",
    "register",
]

SPACES: Registry[SearchSpace] = Registry("search space", __name__, "SPACE", "naslib_swap.spaces")
register, get, names = SPACES.register, SPACES.get, SPACES.names
