"""Scores, and what identifies them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from naslib_swap.scoring.recipe import Recipe


class Key(NamedTuple):
    """What identifies a score.

    Attributes
    ----------
    space, task, arch
        The subject: `arch` is its canonical name.
    proxy, seed
        By what it was scored.
    recipe
        The id of the score's recipe.
    """

    space: str
    task: str
    arch: str
    proxy: str
    seed: int
    recipe: str


@dataclass(frozen=True)
class Score:
    """The result of scoring one subject by one proxy.

    Attributes
    ----------
    value
        A finite number, or None where `error` says why there is none.
    seconds
        What the proxy costs alone: its own time and that of every pass it used, even if the pass
        was computed for another proxy.
    error
        Kind and message of what went wrong, or None.
    saturation
        Share of the upper bound, in [0, 1], where the proxy has one.
    trace
        Where in the code it went wrong, if that was no `SwapError`: for whoever writes the proxy.
    """

    value: float | None
    seconds: float = 0.0
    error: str | None = None
    saturation: float | None = None
    trace: str | None = None


class Record(NamedTuple):
    """What a store holds of one score.

    Attributes
    ----------
    key
        What identifies it.
    score
        The result.
    recipe
        What it was made with.
    """

    key: Key
    score: Score
    recipe: Recipe
