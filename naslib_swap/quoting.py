"""Text that others wrote, shown in a message: on one line, escaped and cut."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable


def shown(value: object, limit: int = 160) -> str:
    """Show a value as Python would write it.

    Parameters
    ----------
    value
        Text, or plain data; nested data is shown to its third level.
    limit
        The most characters of the result.

    Returns
    -------
    str
        One line of printable characters. Line ends, escape characters and lone surrogates are
        written as escapes, and what is too long ends in ``...``.
    """
    if isinstance(value, (str, bytes)):
        return _cut(repr(value[: limit + 1]), limit)
    brief = reprlib.Repr()
    brief.maxlevel, brief.maxstring, brief.maxother, brief.maxlong = 3, limit, limit, limit
    brief.maxtuple = brief.maxlist = brief.maxdict = limit // 2
    # A type's own repr may hold anything; that of text is escaped already.
    return one_line(brief.repr(value), limit)


def one_line(text: object, limit: int = 300) -> str:
    """Show a text without quotes: white space becomes single spaces, the rest is as in `shown`."""
    # Ten times the limit leaves room for white space that goes.
    words = " ".join(str(text)[: 10 * limit].split())
    kept = words[: limit + 1]
    if not kept.isprintable():
        kept = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in kept)
    return _cut(kept, limit)


def listed(names: Iterable[object], most: int = 8) -> str:
    """List names that a file gives: the first ones, each cut, and how many there are besides."""
    found = [str(name) for name in names]
    text = ", ".join(one_line(name, 60) for name in found[:most])
    return f"{text} and {len(found) - most} more" if len(found) > most else text


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
