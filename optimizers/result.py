"""The result of a search, and the files that hold it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naslib_swap import spaces
from naslib_swap.files import write_text
from naslib_swap.optimizers.evolution import Candidate, EvolutionState, Failure
from naslib_swap.optimizers.plan import SearchPlan
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
    recipe
        What the scores were made with.
    top
        The best architectures ever scored, best first; their fitness is that under `weighting`.
        Empty where the time limit came before the first score.
    state
        The whole course of the search.
    weighting
        The final mu and sigma; None where size does not count.
    ending
        How it ended.
    """

    plan: SearchPlan
    recipe: Recipe
    top: tuple[Candidate, ...]
    state: EvolutionState
    weighting: Regularisation | None
    ending: Ending

    @property
    def best(self) -> Candidate:
        """The fittest architecture ever scored, under the final mu and sigma."""
        return self.top[0]

    @property
    def history(self) -> pd.DataFrame:
        """One row per architecture tried, in order; the columns are the fields of history.jsonl."""
        import pandas as pd  # here, so that a search starts without it

        return pd.DataFrame([asdict(one) for one in self.state.tried()])

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
    """Write the result of a search: JSON, the architecture, pictures."""
    from naslib_swap.optimizers.drawing import draw_cells, draw_curve  # matplotlib starts slowly

    space = spaces.get(result.plan.space)
    arch = space.parse(result.best.arch)
    plain = {
        **identity,
        "recipe": result.recipe.plain(),
        "found": result.best.arch,
        "architecture": space.described(arch),
        "score": result.best.score,
        "fitness": result.best.fitness,
        "parameters": result.sizes,
        "weighting": None if result.weighting is None else asdict(result.weighting),
        "ended": result.ending.reason,
        "cycles": result.state.cycle,
        "scored": len(result.state.history),
        "failed": len(result.state.failures),
        "seconds": round(result.ending.seconds, 3),
        "top": [asdict(candidate) for candidate in result.top],
    }
    write_text(folder / "result.json", json.dumps(plain, indent=2) + "\n")
    write_text(folder / "architecture.txt", result.best.arch + "\n")
    if cells := space.cells(arch):
        draw_cells(folder / "cells.png", cells)
    draw_curve(folder / "curve.png", list(result.state.history.values()), result.weighting)
