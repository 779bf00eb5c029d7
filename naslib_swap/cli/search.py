"""`naslib-swap search`: find an architecture by its SWAP-Score, without training anything."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from naslib_swap.errors import SwapError

if TYPE_CHECKING:
    from naslib_swap.optimizers.evolution import Evolution

_PLAIN_LINE_EVERY = 50
"""Cycles between two lines of progress where there is no terminal."""


def search(
    space: str = typer.Option("darts", help="darts or nasbench201."),
    out: str = typer.Option("search", help="Folder for history, result and pictures."),
    proxy: str = typer.Option("swap", help="What guides the search, as in `table`."),
    mu: Optional[float] = typer.Option(None, help="Size aimed at, in thousands (scored network)."),
    sigma: Optional[float] = typer.Option(None, help="Tolerance for sizes, in thousands."),
    adaptive: bool = typer.Option(False, help="mu and sigma from the sizes met so far."),
    plain: bool = typer.Option(False, help="The score alone: size does not count."),
    min_params: Optional[int] = typer.Option(None, help="Fewest parameters of the final network."),
    max_params: Optional[int] = typer.Option(None, help="Most parameters of the final network."),
    seed: int = typer.Option(0, help="Of every random choice."),
    cycles: int = typer.Option(100, help="Cycles of the evolution."),
    time_limit: Optional[float] = typer.Option(None, help="Seconds after which to stop."),
    workers: int = typer.Option(os.cpu_count() or 1, help="Processes that score."),
    population: int = typer.Option(20, help="Architectures alive."),
    sample: Optional[int] = typer.Option(None, help="Of a tournament; half the population."),
    mutations: int = typer.Option(5, help="Children scored in a cycle."),
    offspring: int = typer.Option(5, help="Offspring scored in a crossover."),
    crossover: float = typer.Option(0.5, help="Probability of a crossover."),
    removal: str = typer.Option("worst", help="Who leaves: worst or oldest."),
    images: str = typer.Option("natural", help="Images: natural, cifar10, ... or a path."),
    image_path: Optional[str] = typer.Option(None, help="Where the dataset's files are."),
    samples: Optional[int] = typer.Option(None, help="Images in the minibatch."),
    repeats: Optional[int] = typer.Option(None, help="Re-initialisations for SWAP."),
    variant: Optional[str] = typer.Option(None, help="Which network of the space is scored."),
    resume: bool = typer.Option(False, "--resume", help="Go on from the checkpoint in --out."),
    quiet: bool = typer.Option(False, "--quiet", help="Print the result only."),
) -> None:
    """Search an architecture by evolution, guided by a training-free score.

    Writes history.jsonl (every architecture scored), result.json, genotype.txt (DARTS), cells.png
    and curve.png under --out; a search that was cut off goes on with --resume.
    """
    from naslib_swap.optimizers.evolution import EvolutionSettings
    from naslib_swap.optimizers.fitness import SizeWeighting
    from naslib_swap.optimizers.native import Request, find, sizes, weigh
    from naslib_swap.spaces import get

    if (mu is not None or sigma is not None) + adaptive + plain > 1:
        raise SwapError("give either --mu and --sigma, or --adaptive, or --plain")
    if mu is not None or sigma is not None:
        weighting = SizeWeighting("fixed", mu, sigma)
    elif adaptive or plain:
        weighting = SizeWeighting("adaptive" if adaptive else "none")
    else:
        weighting = weigh(space, seed) if proxy == "swap" else SizeWeighting("none")
    request = Request(
        space=space,
        settings=EvolutionSettings(
            population=population,
            sample=sample,
            mutations=mutations,
            offspring=offspring,
            crossover=crossover,
            removal=removal,
            weighting=weighting,
        ),
        proxy=proxy,
        source=images,
        path=image_path,
        variant=variant,
        samples=samples,
        repeats=repeats,
        smallest=min_params,
        largest=max_params,
        seed=seed,
    )

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cycles"),
        TimeElapsedColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
    )
    task = bar.add_task("searching", total=cycles)

    def show(evolution: Evolution) -> None:
        done = evolution.state.cycle
        line = _standing(evolution)
        bar.update(task, completed=done, description=line)
        if bar.disable and not quiet and done and done % _PLAIN_LINE_EVERY == 0:
            print(f"cycle {done}/{cycles}: {line}", file=sys.stderr, flush=True)

    try:
        with bar:
            found = find(
                request,
                cycles=cycles,
                seconds=time_limit,
                folder=Path(out),
                jobs=workers,
                resume=resume,
                progress=show,
            )
    except KeyboardInterrupt:
        saved = (Path(out) / "checkpoint.json").exists()
        advice = f"; go on with the same command and --resume ({out})"
        typer.echo(f"interrupted{advice if saved else ' before anything was saved'}", err=True)
        raise typer.Exit(130) from None
    if not found.top:
        typer.echo("the time limit came before the first architecture was scored", err=True)
        raise typer.Exit(1)

    best = found.best
    counts = sizes(space, get(space).parse(best.arch), variant)
    ended = {
        "cycles": "all cycles done",
        "time": "time limit reached; --resume goes on",
        "exhausted": "no unseen architecture left",
    }[found.outcome.reason]
    state = found.evolution.state
    failed = f", {len(state.failures)} not (history.jsonl says why)" if state.failures else ""
    typer.echo(best.arch)
    typer.echo("parameters: " + ", ".join(f"{name} {n:,}" for name, n in counts.items()))
    typer.echo(
        f"score {best.score:.6g}; {len(state.history)} architectures scored{failed}, "
        f"{found.outcome.seconds:.1f} s ({ended}); files in {out}"
    )
    samples_seen = len(found.evolution.measure.minibatch.images)  # type: ignore[attr-defined]
    highest = 1 << samples_seen
    if proxy == "swap" and best.score > 0.95 * highest:
        typer.echo(
            f"warning: the best score is near the highest that {samples_seen} images can give, "
            f"{highest}; more --samples tell architectures apart better",
            err=True,
        )


def _standing(evolution: Evolution) -> str:
    if not evolution.state.population:
        return f"none of {len(evolution.state.failures)} could be scored"
    best = evolution.best()
    history = len(evolution.state.history)
    return f"best score {best.score:.6g} at {best.size:.4g} k parameters, {history} scored"
