"""Text that others wrote, shown to people: on one line, escaped and cut.

What Markdown, CSV, HTML, terminals and matplotlib take for markup is escaped where these are
written: `evaluation.markdown`, `csv_files`, `evaluation.page`, `cli.printing`, `figures`.
"""

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
    if isinstance(value, int) and value.bit_length() > 4 * max(limit, 1000):
        # Python refuses to write the longest.
        return _cut(f"a whole number of {value.bit_length()} bits", limit)
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


def legible(name: object) -> str:
    r"""Return a name as people see it in tables and pictures.

    Returns
    -------
    str
        The name itself; in quotes, with escapes, where a character of it cannot be printed or it
        begins with a quote. Different names stay different.

    Examples
    --------
    >>> print(legible("nwot[mean]"), legible("two\nlines"))
    nwot[mean] 'two\nlines'
    """
    text = str(name)
    return text if text.isprintable() and text[:1] not in ("'", '"') else repr(text)


def brief(text: str, limit: int) -> str:
    """Cut a text in its middle, so that names which differ at either end stay different."""
    if len(text) <= limit:
        return text
    head = limit // 2
    return f"{text[:head]}…{text[head + 1 - limit :]}"


def without_controls(text: str) -> str:
    """Return a text of lines in which characters that a terminal may obey are escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def listed(names: Iterable[object], most: int = 8) -> str:
    """List names that a file gives: the first ones, each cut, and how many there are besides."""
    found = [str(name) for name in names]
    text = ", ".join(one_line(name, 60) for name in found[:most])
    return f"{text} and {len(found) - most} more" if len(found) > most else text


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
