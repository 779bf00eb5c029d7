"""`naslib-swap precompute`: tables of scores in the form that NASLib reads."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from naslib_swap.cli.progress import progress
from naslib_swap.errors import SwapError

if TYPE_CHECKING:
    import pandas as pd


def precompute(
    space: Annotated[str, typer.Option(help="Search space.")] = "nasbench201",
    task: Annotated[str, typer.Option(help="Tasks, separated by commas.")] = "cifar10",
    proxies: Annotated[
        str, typer.Option(help="Names separated by commas, or all.")
    ] = "swap,reg_swap",
    out: Annotated[
        Optional[Path],
        typer.Option(
            help="The table to write, or to add to where it exists.",
            show_default="zc_SPACE_swap.json",
        ),
    ] = None,
    into: Annotated[
        Optional[Path],
        typer.Option(
            help="A table whose architectures are scored, and to whose copy in --out they are "
            "added. It stays as it is, unless --out names it too."
        ),
    ] = None,
    archs: Annotated[
        str, typer.Option(help="How many of the architectures with an accuracy, or all.")
    ] = "all",
    archs_file: Annotated[
        Optional[Path], typer.Option(help="Architectures, one a line, in any known notation.")
    ] = None,
    truth: Annotated[
        Optional[str], typer.Option(help="Source of accuracies; suite-zero, analog, csv, ...")
    ] = None,
    truth_file: Annotated[Optional[str], typer.Option(help="A file of accuracies.")] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Compute anew what the table has already.")
    ] = False,
    inputs: Annotated[str, typer.Option(help="Images: natural, cifar10, ..., a path.")] = "natural",
    inputs_path: Annotated[Optional[str], typer.Option(help="Where the images are.")] = None,
    samples: Annotated[int, typer.Option(help="Images in the minibatch.")] = 16,
    variant: Annotated[Optional[str], typer.Option(help="Which network of the space.")] = None,
    mu: Annotated[Optional[float], typer.Option(help="For reg-SWAP, thousands.")] = None,
    sigma: Annotated[Optional[float], typer.Option(help="For reg-SWAP, thousands.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that score.")] = os.cpu_count() or 1,
    backend: Annotated[str, typer.Option(help="joblib's: loky, dask or ray.")] = "loky",
    address: Annotated[Optional[str], typer.Option(help="Of a Dask or Ray cluster.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Score architectures and write NAS-Bench-Suite-Zero's JSON, for NASLib and others.

    Scores are kept beside --out (NAME.scores.jsonl) as they come: run again, it goes on where it
    was cut off. What made each column is kept in NAME.settings.json: scores of other settings are
    not added to it.
    """
    target = out or Path(f"zc_{space}_swap.json")
    if target.is_dir():
        raise SwapError(f"got the folder {target} for --out, expected the name of a JSON file.")
    if not quiet:
        _log("loading accuracies and images")
    from naslib_swap.evaluation import column_settings
    from naslib_swap.evaluation import precompute as tables
    from naslib_swap.evaluation.plan import checked_together, plan_of, study_with
    from naslib_swap.scoring.run import run
    from naslib_swap.scoring.store import ScoreStore
    from naslib_swap.scoring.survey import gather, nothing_scored
    from naslib_swap.files import write_text

    options: dict[str, Any] = {
        "space": space,
        "proxies": proxies,
        "archs": archs,
        "truth": truth,
        "truth_file": truth_file,
        "inputs": inputs,
        "inputs_path": inputs_path,
        "samples": samples,
        "variant": variant,
        "mu": mu,
        "sigma": sigma,
    }
    # What --out holds already is added to as well: another task does not end the one before.
    before = into or (target if target.exists() else None)
    table = tables.read_table(before, space) if before else {}
    columns = column_settings.read_columns(before) if before else {}
    chosen, studies = [], []
    for name in task.split(","):
        plan = plan_of({**options, "task": name.strip()}, "the command line")
        chosen.append(tables.chosen(plan, table if into else None, archs_file))
        study = study_with(plan, chosen[-1].archs)
        column_settings.check_columns(study, table, columns, anew=anew)
        studies.append(study if anew else tables.lacking(study, table))
    checked_together(studies)

    scores_path = target.with_name(f"{target.stem}.scores.jsonl")
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
                )
        except KeyboardInterrupt:
            _log(f"interrupted; what was scored is in {scores_path}. Run the same command again.")
            raise typer.Exit(130) from None
        frames = gather(studies, scores_path)
        message = nothing_scored(frames)
        # Where a table has all but a few, these may be the ones that always fail: no fault then.
        if message and not any(tables.holds_any(table, study) for study in studies):
            _log(f"error: {message}. Remove {scores_path} to try again.")
            raise typer.Exit(1)
        for study, found, scores in zip(studies, chosen, frames):
            table = tables.merged(
                table, scores, found.accuracy, space=space, task=study.task, anew=anew
            )
            columns = column_settings.with_columns(columns, study, scores)
            _warn(study.task, scores, tables.without_accuracy(table, space, study.task))
        column_settings.write_columns(target, columns)
        write_text(target, json.dumps(table))
    if not quiet:
        print(f"Written to {target}")


def _warn(task: str, scores: pd.DataFrame, blank: int) -> None:
    for proxy, errors in scores[scores["error"].notna()].groupby("proxy")["error"]:
        _log(
            f"warning: {task}: {proxy} failed on {len(errors)} architectures and is left out "
            f"there: {errors.iloc[0]}"
        )
    if blank:
        _log(
            f"warning: {task}: {blank} architectures have no val_accuracy, which NASLib's runners "
            "read; name their accuracies with --truth or --truth-file."
        )


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
