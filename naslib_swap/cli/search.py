"""`naslib-swap search`: find an architecture by its SWAP-Score, without training anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Callable, Optional

import typer
from rich.console import Console

from naslib_swap.cli.declared import command
from naslib_swap.cli.live import Ranking, Row, live
from naslib_swap.cli.session import place, saved
from naslib_swap.optimizers.plan import SearchPlan
from naslib_swap.options import plan_of
from naslib_swap.quoting import brief, legible
from naslib_swap.scoring.execution import Workers

if TYPE_CHECKING:
    from naslib_swap.optimizers.evolution import Candidate, Evolution
    from naslib_swap.optimizers.result import SearchResult

_PLAIN_LINE_EVERY = 50
"""Cycles between two lines of progress where there is no terminal."""

_SHOWN = 10
"""Architectures that a terminal sees."""
_LONGEST = 44
"""Characters of an architecture there."""

_ENDINGS = {
    "cycles": "all cycles done",
    "time": "time limit reached; --resume goes on",
    "exhausted": "no unseen architecture left",
}


@command(SearchPlan, Workers)
def search(
    options: Mapping[str, Any],
    workers: Mapping[str, Any],
    out: Annotated[str, typer.Option(help="Folder for history, result and pictures.")] = "search",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")
    ] = False,
    accuracy: Annotated[
        Optional[str],
        typer.Option(
            help="module:function or file.py:function for --verify: takes an architecture's "
            "notation, returns its true accuracy."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the result only.")] = False,
) -> None:
    """Search an architecture by evolution, guided by a training-free score.

    Writes history.jsonl (every architecture scored), result.json, network.py (builds what was
    found), pictures and more under --out; a search that was cut off goes on with --resume.
    """
    from naslib_swap.models.imports import function
    from naslib_swap.optimizers import native

    plan = plan_of(SearchPlan, options, "search")
    execution = plan_of(Workers, workers, "search")
    place(out)
    ask = None if accuracy is None else function(accuracy)
    checkpoint = Path(out) / "checkpoint.json"
    ours = resume or not checkpoint.exists()

    def going_on() -> str:
        if ours and checkpoint.exists():
            return f"go on with the same command and --resume ({out})."
        return "nothing was saved yet."

    with saved(going_on), _progress(plan.cycles, quiet=quiet) as show:
        result = native.search(
            plan, out=out, execution=execution, resume=resume, progress=show, accuracy=ask
        )
    if not result.top:
        typer.echo("the time limit came before the first architecture was scored", err=True)
        raise typer.Exit(1)
    _print(result, out)


def _print(result: SearchResult, out: str) -> None:
    best, failures = result.best, len(result.failures)
    failed = f", {failures} not (history.jsonl says why)" if failures else ""
    typer.echo(best.arch)
    typer.echo("parameters: " + ", ".join(f"{name} {n:,}" for name, n in result.sizes.items()))
    for line in _told(result):
        typer.echo(line)
    typer.echo(
        f"{_score(best, result.plan.proxy)}; "
        f"{len(result.state.history)} architectures scored{failed}, "
        f"{result.ending.seconds:.1f} s ({_ENDINGS[result.ending.reason]}); files in {out}"
    )
    from naslib_swap.patterns import fills_samples

    samples = result.recipe.samples
    if result.plan.proxy == "swap" and fills_samples(best.score or 0, samples):
        typer.echo(
            f"warning: the best score is near the highest that {samples} images can give, "
            f"{2**samples}; more --samples tell architectures apart better",
            err=True,
        )


def _told(result: SearchResult) -> Iterator[str]:
    """Say what the network costs, what chose it, and how good it is where that is known."""
    best, plan = result.best, result.plan
    if best.costs:
        yield "costs: " + ", ".join(f"{name} {_cost(n)}" for name, n in best.costs.items())
    if result.front:
        yield f"front of {', '.join(plan.pareto)}: {len(result.front)} networks (front.png)"
    if result.verified:
        yield (
            f"chosen by the true accuracies of {len(result.verified)}: "
            f"{result.verified[best.arch]:.6g} is the highest"
        )
    elif plan.verify:
        yield "no true accuracy of what was found is known, so that the score alone chose"
    elif result.finalists:
        yield f"chosen among {len(result.finalists)} finalists by {', '.join(plan.final)}"
    if result.table is None:
        return
    where = f"{legible(result.table.source)}, {len(result.table.accuracy):,} networks"
    truth = result.standing
    if truth is None:
        yield f"true accuracy: not in the table ({where})"
    elif "rank" not in truth:
        yield f"accuracy: {truth['accuracy']:.6g}, predicted by {legible(result.table.source)}"
    else:
        yield (
            f"true accuracy: {truth['accuracy']:.6g}, rank {truth['rank']:,} ({where}), "
            f"{truth['regret']:.3g} below the best"
        )


def _cost(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


@contextmanager
def _progress(cycles: int, *, quiet: bool) -> Iterator[Callable[[Evolution], None]]:
    if quiet:
        yield lambda evolution: None
    elif not Console(stderr=True).is_terminal:
        yield partial(_say_now_and_then, cycles)
    else:
        with live("cycles") as watched:

            def show(evolution: Evolution) -> None:
                watched.source = partial(_ranking, evolution)
                watched.show(evolution.state.cycle, cycles)

            yield show


def _say_now_and_then(cycles: int, evolution: Evolution) -> None:
    done = evolution.state.cycle
    if done and done % _PLAIN_LINE_EVERY == 0:
        print(f"cycle {done}/{cycles}: {_standing(evolution)}", file=sys.stderr, flush=True)


def _ranking(evolution: Evolution) -> Ranking:
    """Return the best architectures so far, or those on the front."""
    combination, pareto = evolution.settings.combination, evolution.settings.pareto
    guide = combination.name if combination else ""
    best = evolution.front() if pareto else evolution.top(_SHOWN)
    costs = [name for name in pareto if name != "score"]
    rows = []
    for one in best[:_SHOWN]:
        now = replace(one, fitness=evolution.value(one.arch))
        score = _score(now, guide).split(" among")[0].rpartition(" ")[2]
        looked_at = [_cost(one.costs[name]) for name in costs]
        cells = (score, *looked_at, f"{one.size:,.4g}", one.origin, str(one.index + 1))
        rows.append(Row(brief(one.arch, _LONGEST), cells))
    heading = legible(guide) if guide else "score"
    first = f"front so far: {len(best)}" if pareto else "best so far"
    columns = (first, heading, *costs, "k parameters", "origin", "number")
    return Ranking(_standing(evolution), columns, rows)


def _standing(evolution: Evolution) -> str:
    if not evolution.state.population:
        return f"none of {len(evolution.state.failures)} could be scored"
    best, history = evolution.best(), len(evolution.state.history)
    combination = evolution.settings.combination
    now = replace(best, fitness=evolution.value(best.arch))
    score = _score(now, combination.name if combination else "")
    return f"best {score} at {best.size:.4g} k parameters, {history} scored"


def _score(one: Candidate, proxy: str) -> str:
    """Say the score; with a combination, what it is among all that was scored."""
    if one.score is not None:
        return f"score {one.score:.6g}"
    return f"{legible(proxy)} {one.fitness:.6g} among all scored"
