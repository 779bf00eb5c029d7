"""The result of a search, and the files that hold it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naslib_swap import spaces
from naslib_swap.files import write_text
from naslib_swap.optimizers.accuracies import Table, table_at_hand
from naslib_swap.optimizers.costs import Network
from naslib_swap.optimizers.evolution import Candidate, EvolutionState, Failure, plain
from naslib_swap.optimizers.final import Finalist
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
    front
        With several objectives, those ever scored that none dominates, by falling fitness.
    finalists
        The best, scored again, in the order of the final choice; empty without one.
    verified
        True accuracies that were asked for, by architecture, in the order of asking.
    found
        What the final choice, or these accuracies, chose; None where neither did.
    named
        The table of true accuracies that was asked for; None takes what is at hand.
    """

    plan: SearchPlan
    recipes: Mapping[str, Recipe]
    top: tuple[Candidate, ...]
    state: EvolutionState
    weighting: Regularisation | None
    ending: Ending
    front: tuple[Candidate, ...] = ()
    finalists: tuple[Finalist, ...] = ()
    verified: Mapping[str, float] = field(default_factory=dict)
    found: Candidate | None = None
    named: Table | None = None

    @property
    def best(self) -> Candidate:
        """The architecture found: the fittest, or what a final choice or accuracies chose."""
        return self.found or (self.front or self.top)[0]

    @property
    def by(self) -> str:
        """What chose the best: "fitness", "final choice" or "true accuracies"."""
        if self.verified:
            return "true accuracies"
        return "final choice" if self.finalists else "fitness"

    @cached_property
    def table(self) -> Table | None:
        """A table of true accuracies, where one is at hand: what is said of the result is by it."""
        return self.named or table_at_hand(self.plan.space, self.plan.task)

    @property
    def standing(self) -> dict[str, Any] | None:
        """The true accuracy of the best and its rank in the table; None where it is not there."""
        return None if self.table is None else self.table.standing(self.best.arch)

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
    """Write the result of a search: JSON, code, pictures and a page to look into it."""
    from naslib_swap.csv_files import written as csv_written

    # matplotlib starts slowly
    from naslib_swap.optimizers.drawing import draw_cells, draw_curve, draw_front
    from naslib_swap.optimizers.page import page

    plan, space = result.plan, spaces.get(result.plan.space)
    arch = space.parse(result.best.arch)
    network = plan.network()
    recipes = {name: recipe.plain() for name, recipe in result.recipes.items()}
    best = plain(result.best)
    written: dict[str, Any] = {
        **identity,
        "recipe": recipes if result.plan.combination() else result.recipe.plain(),
        "found": result.best.arch,
        "architecture": space.described(arch),
        **{name: best[name] for name in ("score", "values", "errors", "fitness") if name in best},
        "parameters": result.sizes,
        "flops": network.multiply_accumulates(arch),
        **({"costs": best["costs"]} if "costs" in best else {}),
        "chosen_by": result.by,
        "true_accuracies_used": len(result.verified),
        **({"naslib_spec": space.naslib_key(arch)} if space.suite_zero else {}),
        "weighting": None if result.weighting is None else asdict(result.weighting),
        "ended": result.ending.reason,
        "cycles": result.state.cycle,
        "scored": len(result.state.history),
        "failed": len(result.state.failures),
        "seconds": round(result.ending.seconds, 3),
        "top": [plain(candidate) for candidate in result.top],
    }
    if result.front:
        written["objectives"] = list(plan.pareto)
        written["front"] = [plain(candidate) for candidate in result.front]
    if result.finalists:
        written["finalists"] = [asdict(one) for one in result.finalists]
    if result.verified:
        written["verified"] = dict(result.verified)
    if result.table is not None:
        written["truth"] = result.standing or {
            "source": result.table.source,
            "of": len(result.table.accuracy),
            "accuracy": None,
        }
    write_text(folder / "result.json", json.dumps(written, indent=2) + "\n")
    write_text(folder / "architecture.txt", result.best.arch + "\n")
    write_text(folder / "network.py", code(network, result.best.arch))
    for name, text in space.exported(arch).items():
        write_text(folder / name, text)
    write_text(folder / "history.csv", csv_written(log(result)))
    cells = space.cells(arch)
    drawn = draw_cells(folder / "cells.png", cells) if cells else None
    write_text(folder / "report.html", page(result, drawn))
    sizes = [one.size for one in result.state.history.values()]
    draw_curve(folder / "curve.png", result.fitness, sizes, result.weighting, plan.combination())
    if result.front:
        draw_front(folder / "front.png", result)


def log(result: SearchResult) -> pd.DataFrame:
    """Return the history for spreadsheets: one row per architecture tried, no cell with many."""
    import pandas as pd

    rows = []
    for one in result.state.tried():
        row = plain(one)
        nested = {name: row.pop(name, {}) for name in ("values", "errors", "costs")}
        row["parents"] = "; ".join(row["parents"])
        row.update(nested["values"])
        row.update({f"error of {name}": text for name, text in nested["errors"].items()})
        row.update({f"cost: {name}": value for name, value in nested["costs"].items()})
        rows.append(row)
    return pd.DataFrame(rows)


def code(network: Network, arch: str) -> str:
    """Return Python that builds a network with this package."""
    shape = ", ".join(map(str, network.input_shape))
    return f'''"""A network that naslib-swap found: {network.space}, {network.task}.

Images of shape ({shape}) go in. `naslib-swap score network.py:network --input-shape ...` scores it.
"""

from naslib_swap import spaces

SPACE = {network.space!r}
VARIANT = {network.variant_built!r}
ARCHITECTURE = (
    {arch!r}
)


def network(num_classes={network.classes}):
    """Build the network, with weights that torch draws."""
    space = spaces.get(SPACE)
    return space.build(
        space.parse(ARCHITECTURE),
        variant=VARIANT,
        num_classes=num_classes,
        in_channels={network.input_shape[-3]},
    )


if __name__ == "__main__":
    print(f"{{sum(p.numel() for p in network().parameters()):,}} parameters")
'''
