"""Things that are found by name: our own, those of installed packages, those registered by hand.

Our own are in the modules of one folder. A package adds its own by an entry point. Neither is
imported before it is needed.
"""

from __future__ import annotations

import pkgutil
import threading
import warnings
from collections.abc import Iterator
from importlib import import_module, metadata
from typing import Any, Generic, Protocol, TypeVar

from naslib_swap.errors import BadArgument


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """The name under which it is found."""


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """Things of one kind, by name.

    Parameters
    ----------
    kind
        What messages call one of them, such as ``"proxy"``.
    package
        The package whose modules define our own.
    attribute
        The name in these modules of one such thing, or of a tuple of them.
    group
        The group of entry points through which other packages add theirs. An entry point names one
        thing, or a tuple of them: ``mine = my_package.my_module:PROXY``.
    """

    def __init__(self, kind: str, package: str, attribute: str, group: str) -> None:
        self._kind = kind
        self._package = package
        self._attribute = attribute
        self._group = group
        self._found: dict[str, T] = {}
        self._by_hand: dict[str, T] = {}
        self._asked = False
        # A thread that comes while another one loads waits; one that comes again, from a module
        # that it is just importing, does not.
        self._loading = threading.RLock()

    def register(self, item: T) -> T:
        """Add one for this process and the workers that it starts, and return it.

        Raises
        ------
        BadArgument
            If another one has that name.
        """
        self._load()
        self._add(item)
        self._by_hand[item.name] = item
        return item

    def registered(self) -> tuple[T, ...]:
        """Return those added by `register`, for workers to `adopt`."""
        return tuple(self._by_hand.values())

    def adopt(self, item: T) -> None:
        """Add one that another process registered and sent along with work.

        It may come with every piece of work, each time as another copy.
        """
        self._found[item.name] = item

    def get(self, name: str) -> T:
        """Return the one of that name.

        Raises
        ------
        BadArgument
            If there is none; the message lists the names there are.
        """
        if name not in self._found:
            self._load()
        if name not in self._found:
            raise BadArgument(
                f"got the {self._kind} {name!r}, expected one of {', '.join(self.names())}."
            )
        return self._found[name]

    def names(self) -> tuple[str, ...]:
        """Return all names, sorted."""
        self._load()
        return tuple(sorted(self._found))

    def _load(self) -> None:
        with self._loading:
            if not self._asked:
                self._asked = True
                self._load_all()

    def _load_all(self) -> None:
        for item in self._own():
            self._found.setdefault(item.name, item)
        for point in _entry_points(self._group):
            try:
                for item in _as_tuple(point.load()):
                    self._add(item)
            except Exception as error:  # one broken package must not break the others
                warnings.warn(
                    f"the {self._kind} {point.name!r} of an installed package ({point.value}) is "
                    f"left out: {type(error).__name__}: {error}",
                    stacklevel=2,
                )

    def _own(self) -> Iterator[T]:
        package = import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            if not module.ispkg:
                found = import_module(f"{self._package}.{module.name}")
                yield from _as_tuple(getattr(found, self._attribute, ()))

    def _add(self, item: T) -> None:
        if not isinstance(getattr(item, "name", None), str):
            raise BadArgument(f"got {item!r} as a {self._kind}, expected something with a name.")
        known = self._found.get(item.name)
        if known is not None and known is not item and known != item:
            raise BadArgument(
                f"there is a {self._kind} {item.name!r} already, expected another name."
            )
        self._found[item.name] = item


def _as_tuple(found: Any) -> tuple[Any, ...]:
    return tuple(found) if isinstance(found, (tuple, list)) else (found,)


def _entry_points(group: str) -> list[Any]:
    found: Any = metadata.entry_points()
    if hasattr(found, "select"):
        return list(found.select(group=group))
    return list(found.get(group, ()))  # Python 3.9
