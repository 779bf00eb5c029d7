"""`naslib-swap table`: zero-cost proxies against accuracies, in one table."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from naslib_swap.cli.declared import command, config_option
from naslib_swap.cli.live import live
from naslib_swap.cli.printing import print_frame
from naslib_swap.cli.session import notes, place, saved, say, show_traces
from naslib_swap.cli.standings import ranking_of
from naslib_swap.evaluation.plan import Plan
from naslib_swap.scoring.execution import Execution

if TYPE_CHECKING:
    from naslib_swap.evaluation.report import Outcome
    from naslib_swap.evaluation.standings import Standings


@command(Plan, Execution)
def table(
    given: dict[str, Any],
    execution: dict[str, Any],
    config: Annotated[Optional[str], config_option("table")] = None,
    out: Annotated[str, typer.Option(help="Folder for scores, tables and pictures.")] = "results",
    timings: Annotated[
        bool, typer.Option(help="Show seconds; without them, equal runs give equal tables.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Score architectures by zero-cost proxies and compare the ranks with their accuracies.

    Writes scores.jsonl, correlations.csv, correlations.md, report.html and pictures under --out.
    Run again, it scores only what is missing; a run that was cut off goes on where it was.
    """
    from naslib_swap.evaluation.compare import compare
    from naslib_swap.evaluation.plan import plans_from_config
    from naslib_swap.evaluation.report import OVERVIEW, presented_overview, title_of
    from naslib_swap.options import plan_of
    from naslib_swap.scoring.store import SCORES

    note = notes(quiet)
    note("loading accuracies and images")
    where = "the command line"
    plans = (
        plans_from_config(config, given) if config is not None else [plan_of(Plan, given, where)]
    )
    how = plan_of(Execution, execution, where)
    folder = place(out)
    going_on = f"what was scored is in {folder / SCORES}. Run the same command again to go on."
    with saved(lambda: going_on), live("scoring, quick proxies first", quiet=quiet) as watched:

        def watch(standings: Standings) -> None:
            watched.source = partial(ranking_of, standings, title_of)

        outcomes = compare(
            plans,
            out=folder,
            execution=how,
            timings=timings,
            progress=watched.show,
            note=note,
            watch=None if quiet else watch,
        )
    if not quiet:
        for outcome in outcomes:
            _print(outcome)
        if len(outcomes) > 1:
            print_frame(OVERVIEW, presented_overview(outcomes))
        print(
            f"\nWritten to {out}: report.html, correlations.csv, correlations.md, {SCORES}, "
            "pictures"
        )
    failed = [message for outcome in outcomes if (message := outcome.nothing_scored())]
    if len(failed) == len(outcomes):
        say(f"error: {failed[0]}. --retry-failed tries again.")
        raise typer.Exit(1)


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
    if outcome.advice:
        print(outcome.advice)
    for remark in outcome.remarks:
        say(f"warning: {remark}")
    show_traces(outcome.scores)
