"""`naslib-swap flexibert`: text encoders, scored before they are pre-trained."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from naslib_swap.cli.declared import command, config_option
from naslib_swap.cli.live import live
from naslib_swap.cli.printing import print_frame, print_table
from naslib_swap.cli.session import notes, place, saved, say, show_traces
from naslib_swap.cli.standings import ranking_of
from naslib_swap.errors import Unscorable
from naslib_swap.flexibert.plan import FlexibertPlan
from naslib_swap.scoring.execution import Execution

if TYPE_CHECKING:
    from naslib_swap.evaluation.standings import Standings


@command(FlexibertPlan, Execution)
def flexibert(
    given: dict[str, Any],
    execution: dict[str, Any],
    encoder: Annotated[
        Optional[str],
        typer.Option(
            help="Score one encoder alone: a benchmark id, a JSON file, its notation, or random."
        ),
    ] = None,
    config: Annotated[Optional[str], config_option("flexibert")] = None,
    released: Annotated[
        bool, typer.Option("--released", help="Compare with the released values too.")
    ] = False,
    out: Annotated[
        str, typer.Option(help="Folder for scores, tables and pictures.")
    ] = "results/flexibert",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Score FlexiBERT encoders and compare the ranks with their GLUE scores.

    Writes scores.jsonl, flexibert.md, CSV tables and pictures under --out. Run again, it scores
    only what is missing.
    """
    from naslib_swap.flexibert import compare_encoders
    from naslib_swap.flexibert.comparators import PROXIES
    from naslib_swap.options import plan_of, read_config

    where = "the command line"
    from_file = read_config(config, "flexibert") if config is not None else {}
    plan = plan_of(FlexibertPlan, {**from_file, **given}, config or where)
    how = plan_of(Execution, execution, where)
    if encoder is not None:
        _score_one(encoder, plan)
        return
    folder = place(out)
    going_on = (
        f"what was scored is in {folder / 'scores.jsonl'}. Run the same command again to go on."
    )
    with saved(lambda: going_on), live("scoring encoders", quiet=quiet) as watched:

        def watch(standings: Standings) -> None:
            watched.source = partial(
                ranking_of, standings, lambda name: PROXIES[name].title, "GLUE"
            )

        found = compare_encoders(
            plan,
            out=folder,
            execution=how,
            progress=watched.show,
            note=notes(quiet),
            released=released,
            watch=None if quiet else watch,
        )
    if quiet:
        return
    for heading, (_, view) in found.sections().items():
        print_frame(heading, view, bold=[n for n, p in enumerate(view["proxy"]) if p == "SWAP"])
    for remark in found.remarks():
        say(f"warning: {remark}")
    show_traces(found.scores)
    print(f"\nWritten to {out}: scores.jsonl, flexibert.md, CSV tables, pictures")


def _score_one(given: str, plan: FlexibertPlan) -> None:
    from naslib_swap.flexibert import score_encoder
    from naslib_swap.flexibert.benchmark import find_encoder
    from naslib_swap.flexibert.comparators import PROXIES
    from naslib_swap.flexibert.encoder import encode

    encoder = find_encoder(given, plan.benchmark)
    scores = score_encoder(encoder, plan)
    title = f"{encode(encoder)}, {plan.fidelity}, {plan.samples} documents of {plan.length} tokens"
    rows = []
    for name, score in scores.items():
        bound = "" if score.saturation is None else f"{score.saturation:.1%}"
        value = score.error or f"{score.value:.8g}"
        rows.append([PROXIES[name].title, value, bound, f"{1000 * score.seconds:.0f}"])
    print_table(title, ("proxy", "score", "of its bound", "ms"), rows, left={"proxy"})
    if all(score.value is None for score in scores.values()):
        raise Unscorable("every score failed; the table says why.")
