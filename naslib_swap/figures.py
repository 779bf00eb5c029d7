"""Figures of matplotlib: without a screen, texts as they are, files whole or not at all."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naslib_swap.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def empty_figure(width: float, height: float, **options: Any) -> Figure:
    """Return an empty figure, of so many inches."""
    _import_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), **options)


def save(figure: Figure, out: Path, name: str) -> str:
    """Write ``name.png`` and ``name.svg``, each whole or not at all; return the SVG.

    Texts are drawn as they are: a ``$`` in a name begins no formula.
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)  # type: ignore[attr-defined]
        text.set_usetex(False)  # type: ignore[attr-defined]
    figure.draw_without_rendering()  # finds the layout, which both kinds then share
    figure.set_layout_engine("none")
    drawn = as_svg(figure, name)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    write_bytes(out / f"{name}.svg", drawn.encode())
    write_bytes(out / f"{name}.png", png.getvalue())
    return drawn


def as_svg(figure: Figure, name: str) -> str:
    """Return the figure as SVG: the same text for the same figure."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, dpi=150)
    return buffer.getvalue()


def _import_matplotlib() -> None:
    """Import matplotlib, which refuses to be imported where MPLBACKEND names no backend.

    Pictures go into files, so none is needed. One that exists is chosen all the same, for what
    else runs in this process.
    """
    if "matplotlib" in sys.modules:
        return
    named = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib as mpl
    finally:
        if named is not None:
            os.environ["MPLBACKEND"] = named
    if named:
        with suppress(ValueError):
            mpl.rcParams["backend"] = named
