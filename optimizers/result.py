"""The result of a search, and the files that hold it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naslib_swap import spaces
from naslib_swap.files import write_text
from naslib_swap.optimizers.evolution import Candidate, EvolutionState, Failure, plain
from naslib_swap.optimizers.fitness import fitness
from naslib_swap.optimizers.plan import SearchPlan
from naslib_swap.optimizers.ranking import Ranking
from naslib_swap.optimizers.search import Ending
from naslib_swap.regularisation import Regularisation
from naslib_swap.scoring.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes
    ----------
    plan
        What was asked, with the space's defaults for what was left open.
    recipes
        What the scores were made with, by proxy: one, or a combination's members.
    top
        The best architectures ever scored, best first; their fitness is that under `weighting`, or
        with a combination that among all scored. Empty where the time limit came before the first
        score.
    state
        The whole course of the search.
    weighting
        The final mu and sigma; None where size does not count.
    ending
        How it ended.
    """

    plan: SearchPlan
    recipes: Mapping[str, Recipe]
    top: tuple[Candidate, ...]
    state: EvolutionState
    weighting: Regularisation | None
    ending: Ending

    @property
    def best(self) -> Candidate:
        """The fittest architecture ever scored: the first of `top`."""
        return self.top[0]

    @property
    def recipe(self) -> Recipe:
        """What the scores were made with; of a combination's members, the first one's."""
        return next(iter(self.recipes.values()))

    @property
    def fitness(self) -> list[float]:
        """The fitness of each architecture scored, in order, as at the end of the search."""
        measured = {key: one.measured for key, one in self.state.history.items()}
        combination = self.plan.combination()
        if combination is not None:
            return list(Ranking(combination).add(measured).fitness.values())
        return [fitness(one, self.weighting) for one in measured.values()]

    @property
    def history(self) -> pd.DataFrame:
        """One row per architecture tried, in order; the columns are the fields of history.jsonl."""
        import pandas as pd  # here, so that a search starts without it

        return pd.DataFrame([plain(one) for one in self.state.tried()])

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The architectures that could not be scored, with the reasons."""
        return tuple(self.state.failures.values())

    @property
    def sizes(self) -> dict[str, int]:
        """Parameters of the best one's network that is scored, and of those to be trained."""
        arch = spaces.get(self.plan.space).parse(self.best.arch)
        return {
            name: self.plan.count(arch, *network) for name, network in self.plan.networks().items()
        }


def write(folder: Path, result: SearchResult, identity: Mapping[str, Any]) -> None:
    """Write the result of a search: JSON, the architecture, pictures and a page to look into it."""
    from naslib_swap.optimizers.drawing import draw_cells, draw_curve  # matplotlib starts slowly
    from naslib_swap.optimizers.page import page

    space = spaces.get(result.plan.space)
    arch = space.parse(result.best.arch)
    recipes = {name: recipe.plain() for name, recipe in result.recipes.items()}
    best = plain(result.best)
    written: dict[str, Any] = {
        **identity,
        "recipe": recipes if result.plan.combination() else result.recipe.plain(),
        "found": result.best.arch,
        "architecture": space.described(arch),
        **{name: best[name] for name in ("score", "values", "errors", "fitness") if name in best},
        "parameters": result.sizes,
        "weighting": None if result.weighting is None else asdict(result.weighting),
        "ended": result.ending.reason,
        "cycles": result.state.cycle,
        "scored": len(result.state.history),
        "failed": len(result.state.failures),
        "seconds": round(result.ending.seconds, 3),
        "top": [plain(candidate) for candidate in result.top],
    }
    write_text(folder / "result.json", json.dumps(written, indent=2) + "\n")
    write_text(folder / "architecture.txt", result.best.arch + "\n")
    cells = space.cells(arch)
    drawn = draw_cells(folder / "cells.png", cells) if cells else None
    write_text(folder / "report.html", page(result, drawn))
    sizes = [one.size for one in result.state.history.values()]
    draw_curve(
        folder / "curve.png", result.fitness, sizes, result.weighting, result.plan.combination()
    )
