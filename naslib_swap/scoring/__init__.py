"""Scoring a network once, under recorded conditions.

A `Subject` is what is scored, `Conditions` are what all scores of a run share, a `Recipe` is what
one score was made with, a `Score` is the result. `score` scores one subject, `run` many.

>>> from naslib_swap.scoring import Architecture, score
>>> found = score(Architecture("nasbench201", "cifar10", "(0, 2, 3, 2, 3, 1)"), ["params"])
>>> round(found["params"].value, 4)
0.3443
"""

from naslib_swap.scoring.architecture import Architecture
from naslib_swap.scoring.conditions import Conditions, conditions_for
from naslib_swap.scoring.images import Images
from naslib_swap.scoring.recipe import VERSION, Recipe
from naslib_swap.scoring.record import Key, Record, Score
from naslib_swap.scoring.run import Execution, run
from naslib_swap.scoring.single import score
from naslib_swap.scoring.study import Study, gather
from naslib_swap.scoring.subject import Subject

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
    "conditions_for",
    "gather",
    "run",
    "score",
]
