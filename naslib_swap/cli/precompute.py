"""`naslib-swap precompute`: tables of scores in the form that NASLib reads."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import typer

from naslib_swap.cli.declared import command
from naslib_swap.cli.progress import progress
from naslib_swap.cli.session import notes, place, saved, say, show_traces
from naslib_swap.evaluation.plan import PrecomputePlan
from naslib_swap.scoring.execution import Execution


@command(PrecomputePlan, Execution)
def precompute(
    given: dict[str, Any],
    execution: dict[str, Any],
    out: Annotated[
        Optional[str],
        typer.Option(
            help="The table to write, or to add to where it exists.",
            show_default="zc_SPACE_swap.json",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Score architectures and write NAS-Bench-Suite-Zero's JSON, for NASLib and others.

    Scores are kept beside --out (NAME.scores.jsonl) as they come: run again, it goes on where it
    was cut off. What made each column is kept in NAME.settings.json: scores of other settings are
    not added to it.
    """
    from naslib_swap.evaluation.precompute import precompute as run
    from naslib_swap.options import plan_of

    note = notes(quiet)
    note("loading accuracies and images")
    plan = plan_of(PrecomputePlan, given, "the command line")
    how = plan_of(Execution, execution, "the command line")
    going_on = "what was scored is kept beside the table. Run the same command again to go on."
    with saved(lambda: going_on), progress("scoring architectures", quiet=quiet) as show:
        made = run(
            plan, None if out is None else place(out), execution=how, progress=show, note=note
        )
    for remark in made.remarks:
        say(f"warning: {remark}")
    for scores in made.scores:
        show_traces(scores)
    if not quiet:
        print(f"Written to {made.path}")
