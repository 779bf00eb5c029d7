"""`naslib-swap table`: zero-cost proxies against accuracies, in one table."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from naslib_swap.cli.printing import print_frame
from naslib_swap.cli.progress import progress

if TYPE_CHECKING:
    from naslib_swap.evaluation.plan import Plan
    from naslib_swap.evaluation.report import Outcome


def table(
    config: Annotated[
        Optional[str],
        typer.Option(help="A YAML file of these options, or a packaged one: figure4, darts1000."),
    ] = None,
    space: Annotated[
        Optional[str], typer.Option(help="Search space.", show_default="nasbench201")
    ] = None,
    task: Annotated[
        Optional[str], typer.Option(help="Task of the space.", show_default="cifar10")
    ] = None,
    archs: Annotated[
        Optional[str], typer.Option(help="Architectures to sample, or all.", show_default="200")
    ] = None,
    proxies: Annotated[
        Optional[str], typer.Option(help="Names separated by commas, or all.", show_default="all")
    ] = None,
    seeds: Annotated[
        Optional[int], typer.Option(help="How many seeds: 0, 1, ...", show_default="1")
    ] = None,
    truth: Annotated[
        Optional[str],
        typer.Option(help="Accuracies: analog, suite-zero, nasbench201, darts1000, csv, ..."),
    ] = None,
    truth_file: Annotated[
        Optional[str], typer.Option(help="A file of accuracies, such as arch,val_accuracy CSV.")
    ] = None,
    stored: Annotated[
        Optional[str],
        typer.Option(help="A source of scores to stand beside ours, e.g. suite-zero."),
    ] = None,
    inputs: Annotated[
        Optional[str],
        typer.Option(help="Images: natural, cifar10, ..., noise, a path.", show_default="natural"),
    ] = None,
    inputs_path: Annotated[Optional[str], typer.Option(help="Where the images are.")] = None,
    order: Annotated[
        Optional[str], typer.Option(help="Images: first or random.", show_default="first")
    ] = None,
    samples: Annotated[
        Optional[int], typer.Option(help="Images in the minibatch.", show_default="16")
    ] = None,
    repeats: Annotated[
        Optional[int],
        typer.Option(
            help="Re-initialisations for SWAP; 0 scores the weights as built.", show_default="0"
        ),
    ] = None,
    batch_repeats: Annotated[
        Optional[int],
        typer.Option(
            help="Re-initialisations computed at once, for tiny networks.", show_default="1"
        ),
    ] = None,
    variant: Annotated[
        Optional[str], typer.Option(help="Which network of the space, e.g. tiny for darts.")
    ] = None,
    mu: Annotated[Optional[float], typer.Option(help="For reg-SWAP, thousands.")] = None,
    sigma: Annotated[Optional[float], typer.Option(help="For reg-SWAP, thousands.")] = None,
    rule: Annotated[
        Optional[str],
        typer.Option(help="How mu and sigma come from sizes.", show_default="largest"),
    ] = None,
    top: Annotated[
        Optional[int], typer.Option(help="k of nDCG and regret.", show_default="10")
    ] = None,
    device: Annotated[Optional[str], typer.Option(help="cpu or cuda.", show_default="cpu")] = None,
    out: Annotated[Path, typer.Option(help="Folder for scores, tables and pictures.")] = Path(
        "results"
    ),
    workers: Annotated[int, typer.Option(help="Processes that score.")] = os.cpu_count() or 1,
    backend: Annotated[str, typer.Option(help="joblib's: loky, dask or ray.")] = "loky",
    address: Annotated[
        Optional[str], typer.Option(help="Of a running Dask or Ray cluster; all of it is used.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Score again what failed in an earlier run.")
    ] = False,
    timings: Annotated[
        bool, typer.Option(help="Show seconds; without them, equal runs give equal tables.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Score architectures by zero-cost proxies and compare the ranks with their accuracies.

    Writes scores.jsonl, correlations.csv, correlations.md, report.html and pictures under --out.
    Run again, it scores only what is missing; a run that was cut off goes on where it was.
    """
    options = {
        "space": space,
        "task": task,
        "archs": archs,
        "proxies": proxies,
        "seeds": seeds,
        "truth": truth,
        "truth_file": truth_file,
        "stored": stored,
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
        "top": top,
        "device": device,
    }
    given = {name: value for name, value in options.items() if value is not None}
    if not quiet:
        _log("loading accuracies and images")
    # Imported here, so that `--help` does not wait for torch.
    from naslib_swap.evaluation.plan import checked_together, study_of
    from naslib_swap.scoring.run import run
    from naslib_swap.scoring.store import ScoreStore
    from naslib_swap.scoring.survey import gather, nothing_scored

    plans = _plans(config, given)
    planned = [study_of(plan, elsewhere=address is not None) for plan in plans]
    studies = [study for study, _ in planned]
    checked_together(studies)

    scores_path = out / "scores.jsonl"
    with ScoreStore(scores_path) as store:
        try:
            with progress("scoring architectures", quiet=quiet) as show:
                run(
                    studies,
                    store,
                    workers=workers,
                    backend=backend,
                    address=address,
                    progress=show,
                    note=(lambda text: None) if quiet else _log,
                    retry_failed=retry_failed,
                )
        except KeyboardInterrupt:
            _log(
                f"interrupted; what was scored is in {scores_path}. Run the same command again to "
                "go on."
            )
            raise typer.Exit(130) from None

        # Statistics and pictures import much that scoring does not need.
        from naslib_swap.evaluation.report import outcome_of
        from naslib_swap.evaluation.results import write_results

        frames = gather(studies, scores_path)
        outcomes = [
            outcome_of(study, truth, scores, top=plan.top, timings=timings)
            for plan, (study, truth), scores in zip(plans, planned, frames)
        ]
        if not quiet:
            for outcome in outcomes:
                _print(outcome)
        write_results(out, outcomes)
    if not quiet:
        print(
            f"\nWritten to {out}: report.html, correlations.csv, correlations.md, scores.jsonl, "
            "pictures"
        )
    if (message := nothing_scored(frames)) is not None:
        _log(f"error: {message}. --retry-failed tries again.")
        raise typer.Exit(1)


def _plans(config: str | None, given: dict[str, Any]) -> list[Plan]:
    from naslib_swap.evaluation.plan import plan_of, plans_from_config

    if config is None:
        return [plan_of(given, "the command line")]
    return plans_from_config(config, given)


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(outcome: Outcome) -> None:
    from naslib_swap.evaluation.report import footnote, presented, presented_beside

    ours = [n for n, name in enumerate(outcome.table["proxy"]) if name in ("swap", "reg_swap")]
    print_frame(outcome.title, presented(outcome.table), bold=ours)
    print(footnote(outcome.table))
    if len(outcome.beside):
        print_frame(
            "Computed and stored scores on the same architectures",
            presented_beside(outcome.beside),
        )
    for remark in outcome.remarks:
        _log(f"warning: {remark}")
