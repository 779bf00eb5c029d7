"""A budget for plain data that others wrote: how deep it nests, and how much it holds."""

from __future__ import annotations

from typing import Any

from naslib_swap.errors import BadFile

DEEPEST = 64
MOST_ITEMS = 10_000_000


class Record:
    """What stands in for an object of a file: its fields, and nothing that it could do."""

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}

    def set_state(self, state: Any) -> None:
        """Take the fields from a dict by name; `ValueError` where it is none."""
        if type(state) is not dict or not all(type(name) is str for name in state):
            raise ValueError("the state of an object is no dict of fields")
        self.fields.update(state)

    def __setstate__(self, state: Any) -> None:
        # Python's unpickler makes objects without a call of __init__.
        self.fields = {}
        self.set_state(state)


def check_nesting(value: Any, what: str) -> None:
    """Refuse data that nests too deeply or holds too much.

    What is shared counts each time that it is met, as it would when the data is walked through or
    printed: forty lists, each of which holds the next one twice, have 10^12 items.

    Raises
    ------
    BadFile
        More than `DEEPEST` levels (or a cycle), or more than `MOST_ITEMS` items.
    """
    level, total = [value], 1
    for _ in range(DEEPEST):
        below: list[Any] = []
        for item in level:
            children = _children(item)
            total += len(children)
            if total > MOST_ITEMS:
                raise BadFile(f"{what} is refused: it holds more than {MOST_ITEMS:,} items")
            below += [child for child in children if isinstance(child, _CONTAINERS)]
        if not below:
            return
        level = below
    raise BadFile(f"{what} is refused: it nests more than {DEEPEST} levels deep")


_CONTAINERS = (list, tuple, dict, set, frozenset, Record)


def _children(item: Any) -> Any:
    if isinstance(item, dict):
        # Keys are plain, or small tuples.
        return item.values()
    if isinstance(item, Record):
        return item.fields.values()
    return item if isinstance(item, _CONTAINERS) else ()
