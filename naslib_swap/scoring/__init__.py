"""Scoring a network once, under recorded conditions.

A `Subject` is what is scored, `Conditions` are what all scores of a run share, a `Recipe` is what
one score was made with, a `Score` is the result. `score` scores one subject, `run` many.

>>> from naslib_swap.scoring import Architecture, score
>>> found = score(Architecture("nasbench201", "cifar10", "(0, 2, 3, 2, 3, 1)"), ["params"])
>>> found["params"].value
0.615386
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from naslib_swap.scoring.architecture import Architecture
    from naslib_swap.scoring.conditions import Conditions, conditions_for
    from naslib_swap.scoring.execution import Execution, Workers
    from naslib_swap.scoring.images import Images
    from naslib_swap.scoring.recipe import VERSION, Recipe
    from naslib_swap.scoring.record import Key, Record, Score
    from naslib_swap.scoring.runs import run
    from naslib_swap.scoring.single import score
    from naslib_swap.scoring.study import Study, gather
    from naslib_swap.scoring.subject import Subject

# Resolved on first use: options are declared below this package, and need no torch.
_HOMES = {
    "VERSION": "recipe",
    "Architecture": "architecture",
    "Conditions": "conditions",
    "Execution": "execution",
    "Images": "images",
    "Key": "record",
    "Recipe": "recipe",
    "Record": "record",
    "Score": "record",
    "Study": "study",
    "Subject": "subject",
    "Workers": "execution",
    "conditions_for": "conditions",
    "gather": "study",
    "run": "runs",
    "score": "single",
}

__all__ = [
    "VERSION",
    "Architecture",
    "Conditions",
    "Execution",
    "Images",
    "Key",
    "Recipe",
    "Record",
    "Score",
    "Study",
    "Subject",
    "Workers",
    "conditions_for",
    "gather",
    "run",
    "score",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
