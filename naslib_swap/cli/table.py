"""`naslib-swap table`: zero-cost proxies against accuracies, in one table."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.console import Console
from rich.table import Table

from naslib_swap.cli.progress import progress

if TYPE_CHECKING:
    import pandas as pd

_PLAIN_WIDTH = 160


def table(
    space: Annotated[str, typer.Option(help="Search space.")] = "nasbench201",
    task: Annotated[str, typer.Option(help="Task of the space.")] = "cifar10",
    archs: Annotated[
        int, typer.Option(help="Architectures to sample; 0 takes all whose accuracy is known.")
    ] = 200,
    proxies: Annotated[str, typer.Option(help="Names separated by commas, or all.")] = "all",
    seeds: Annotated[int, typer.Option(help="How many seeds: 0, 1, ...")] = 1,
    truth: Annotated[
        Optional[str],
        typer.Option(help="Accuracies: analog, suite-zero, nasbench201, darts1000, csv."),
    ] = None,
    truth_file: Annotated[
        Optional[str], typer.Option(help="A file of accuracies, such as arch,val_accuracy CSV.")
    ] = None,
    inputs: Annotated[
        str, typer.Option(help="Images: natural, cifar10, ..., noise, or a path.")
    ] = "natural",
    inputs_path: Annotated[Optional[str], typer.Option(help="Where the images are.")] = None,
    order: Annotated[str, typer.Option(help="Images taken: first or random.")] = "first",
    samples: Annotated[int, typer.Option(help="Images in the minibatch.")] = 16,
    repeats: Annotated[
        int, typer.Option(help="Re-initialisations for SWAP; 0 scores the weights as built.")
    ] = 0,
    batch_repeats: Annotated[
        int, typer.Option(help="Re-initialisations computed at once (tiny networks).")
    ] = 1,
    variant: Annotated[
        Optional[str], typer.Option(help="Which network of the space, e.g. tiny for darts.")
    ] = None,
    mu: Annotated[Optional[float], typer.Option(help="For reg-SWAP, thousands.")] = None,
    sigma: Annotated[Optional[float], typer.Option(help="For reg-SWAP, thousands.")] = None,
    rule: Annotated[str, typer.Option(help="How mu and sigma come from sizes.")] = "largest",
    config: Annotated[
        Optional[Path], typer.Option(help="YAML with these options, for one or many tasks.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for scores, table and pictures.")] = Path(
        "results"
    ),
    workers: Annotated[int, typer.Option(help="Processes that score.")] = os.cpu_count() or 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Score architectures by zero-cost proxies and compare the ranks with their accuracies.

    Writes scores.jsonl, correlations.csv, correlations.md and pictures under --out. Run again, it
    scores only what is missing; a run that was cut off goes on where it was.
    """
    # Imported here, so that `--help` does not wait for torch.
    from naslib_swap.evaluation import pictures, report
    from naslib_swap.evaluation.plan import (
        Plan,
        checked_together,
        plan_of,
        plans_from_yaml,
        study_of,
    )
    from naslib_swap.evaluation.run import run
    from naslib_swap.evaluation.store import ScoreStore

    options = {
        "space": space,
        "task": task,
        "archs": archs or None,
        "proxies": proxies,
        "seeds": seeds,
        "truth": truth,
        "truth_file": truth_file,
        "inputs": inputs,
        "inputs_path": inputs_path,
        "order": order,
        "samples": samples,
        "repeats": repeats,
        "batch_repeats": batch_repeats,
        "variant": variant,
        "mu": mu,
        "sigma": sigma,
        "rule": rule,
        "device": device,
    }
    plans: list[Plan] = (
        plans_from_yaml(config) if config else [plan_of(options, "the command line")]
    )
    planned = [study_of(plan) for plan in plans]
    checked_together([study for study, _ in planned])

    scores_path = out / "scores.jsonl"
    with ScoreStore(scores_path) as store:
        try:
            with progress("scoring architectures", quiet=quiet) as show:
                run([s for s, _ in planned], store, workers=workers, progress=show)
        except KeyboardInterrupt:
            typer.echo(
                f"interrupted; what was scored is in {scores_path}. Run the same command again to "
                "go on.",
                err=True,
            )
            raise typer.Exit(130) from None

    sections = []
    for study, truth_found in planned:
        scores = report.scores_of(study, scores_path)
        found = report.correlations_of(study, scores, truth_found)
        title = report.heading(study, found, truth_found)
        sections.append((title, found))
        name = f"{study.space}-{study.task}"
        pictures.save(pictures.ranking(title, found), out, f"ranking-{name}")
        shown = [p for p in ("swap", "reg_swap", "params") if p in study.proxies]
        if shown:
            pictures.save(
                pictures.scatter(scores, _series(truth_found.accuracy), shown, title),
                out,
                f"scatter-{name}",
            )
        if not quiet:
            _print(title, report.presented(found))
            _warn_of_failures(scores)
    report.write_correlations(out, sections)
    if len(sections) > 1:
        import pandas as pd

        whole = pd.concat([t for _, t in sections], ignore_index=True)
        pictures.save(pictures.heatmap(whole), out, "heatmap")
    if not quiet:
        typer.echo(f"\nWritten to {out}: scores.jsonl, correlations.csv, correlations.md, pictures")


def _series(accuracy: dict[str, float]) -> pd.Series:
    import pandas as pd

    return pd.Series(accuracy, dtype=float)


def _print(title: str, view: pd.DataFrame) -> None:
    shown = Table(title=title, title_justify="left")
    for name in view.columns:
        shown.add_column(name, justify="left" if name == "proxy" else "right", no_wrap=True)
    for row in view.itertuples(index=False):
        style = "bold" if "SWAP" in row[0] else None
        shown.add_row(*row, style=style)
    console = Console()
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    console.print(shown)


def _warn_of_failures(scores: pd.DataFrame) -> None:
    failed = scores[scores["error"].notna()]
    for (proxy, error), rows in failed.groupby(["proxy", "error"]):
        print(
            f"warning: {proxy} failed on {len(rows)} architecture(s), {rows['arch'].iloc[0]} for "
            f"one: {error}",
            file=sys.stderr,
        )
