"""Names with arguments, such as ``timm:resnet18(width=2)``, read without running anything."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from naslib_swap.errors import BadArgument
from naslib_swap.quoting import shown


@dataclass(frozen=True)
class Call:
    """A name, and the arguments behind it in brackets."""

    name: str
    positional: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)

    @property
    def has_arguments(self) -> bool:
        """Whether there are any."""
        return bool(self.positional or self.keywords)


def read_call(text: str) -> Call:
    """Read a name that may be called with literal arguments.

    Raises
    ------
    BadArgument
        Brackets that hold something else than numbers, texts, lists and the like.

    Examples
    --------
    >>> read_call("nets.py:wide(2, act='relu')")
    Call(name='nets.py:wide', positional=(2,), keywords={'act': 'relu'})
    """
    if not text.endswith(")"):
        return Call(text)
    # A path may hold brackets too: the arguments begin where the rest can be read.
    for start in (place for place, letter in enumerate(text) if letter == "(" and place):
        try:
            call = ast.parse(f"f{text[start:]}", mode="eval").body
        except (SyntaxError, ValueError):
            continue
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            try:
                return Call(
                    text[:start],
                    tuple(ast.literal_eval(value) for value in call.args),
                    {str(k.arg): ast.literal_eval(k.value) for k in call.keywords if k.arg},
                )
            except (ValueError, TypeError):
                break
    raise BadArgument(
        f"got the model {shown(text)}, expected arguments that are numbers, texts, lists or the "
        "like, such as models.py:net(width=2, act='relu')."
    )


def meant(name: str, known: Iterable[str]) -> str:
    """Ask whether one of the nearest names is meant; empty where none is near.

    Examples
    --------
    >>> meant("resnet1", ["resnet18", "vit"])
    ' Do you mean resnet18?'
    """
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f" Do you mean {' or '.join(near)}?" if near else ""
