"""Pages that stand alone: one HTML file with its styles, scripts and data, and no network.

Texts go into a page in two ways, both safe whatever they hold: through `html.escape`, or as JSON
that the scripts write with ``textContent``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from naslib_swap import __version__

_HERE = Path(__file__).parent
LIBRARIES = ("echarts.min.js", "tabulator.min.js")


def document(title: str, body: str, data: Any, scripts: Sequence[str]) -> str:
    """Return a page.

    Parameters
    ----------
    title
        Any text.
    body
        HTML; whoever made it has escaped what it shows.
    data
        Plain data, which the scripts find in ``DATA``. Its texts may hold anything.
    scripts
        Names of files in this folder, in the order in which they run.
    """
    head = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # No request leaves the page, whatever is in it.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\">",
        '<link rel="icon" href="data:,">',
        f"<title>{escape(title)}</title>",
        f"<style>{_file('tabulator.min.css')}\n{_file('page.css')}</style></head><body>",
    ]
    code = "\n".join(_file(name) for name in (*LIBRARIES, *scripts))
    foot = [
        f"<footer>naslib-swap {escape(__version__)}. This page also holds "
        "Apache ECharts (Apache-2.0) and Tabulator (MIT). It loads nothing.</footer>",
        f'<script type="application/json" id="data">{script_json(data)}</script>',
        f"<script>{code}</script></body></html>",
    ]
    return "\n".join([*head, body, *foot]) + "\n"


def script_json(data: Any) -> str:
    r"""Return data as JSON that can stand inside a ``<script>``: no text in it ends that.

    Examples
    --------
    >>> script_json({"name": "</script>"})
    '{"name":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def numbers(values: Iterable[float], digits: int = 6) -> list[float | None]:
    """Return numbers as JSON can hold them: so many digits, None for what is not finite.

    Examples
    --------
    >>> numbers([1 / 3, float("nan"), 25.0])
    [0.333333, None, 25]
    """
    return [_number(value, digits) for value in values]


def _number(value: float, digits: int) -> float | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


@cache
def _file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
