"""`naslib-swap score`: models of the user's, or of a zoo, compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from naslib_swap.cli.declared import command
from naslib_swap.cli.live import Ranking, Row, live
from naslib_swap.cli.printing import print_table
from naslib_swap.cli.session import notes, place, saved, say
from naslib_swap.errors import BadArgument, Unscorable
from naslib_swap.models.plan import ModelsPlan
from naslib_swap.options import plan_of

if TYPE_CHECKING:
    from naslib_swap.models.comparison import ModelComparison
    from naslib_swap.models.measure import ModelScore


@command(ModelsPlan)
def score(
    given: dict[str, Any],
    models: Annotated[
        list[str],
        typer.Argument(
            help="timm:NAME, torchvision:NAME, hf:NAME or hf:config.json, models.py (all its "
            "factories), 'models.py:factory(width=2)' or package.module:factory; several are "
            "ranked."
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one line per model.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    out: Annotated[
        Optional[str], typer.Option(help="Folder for models.json, .csv, .md, .png and .svg.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress and no notes.")] = False,
) -> None:
    """Score models of your own or of a zoo, rank them, and say what the ranking is worth.

    The scores of one call rank these models against each other, and nothing else. A model that
    cannot be scored costs its own row; the command then ends with status 1.
    """
    plan = plan_of(ModelsPlan, given, "the command line")
    if as_json + as_csv + as_markdown > 1:
        raise BadArgument("got several of --json, --csv and --markdown, expected one of them.")
    folder = None if out is None else place(out)
    from naslib_swap.models.compare import compare_planned

    with saved(lambda: "nothing was written"), live("scoring models", quiet=quiet) as watched:

        def watch(so_far: Callable[[], ModelComparison]) -> None:
            watched.source = lambda: _ranking(so_far())

        def show(done: int, total: int) -> None:
            if total > 1:
                watched.show(done, total)

        found = compare_planned(models, None, plan, progress=show, note=notes(quiet), watch=watch)
    if not found.scored and len(found.failed) == 1:
        raise Unscorable(found.failed[0].error)
    if folder is not None:
        from naslib_swap.models.files import write_comparison

        write_comparison(found, folder)
    if as_json or as_csv or as_markdown:
        written = found.to_json if as_json else found.to_csv if as_csv else found.to_markdown
        typer.echo(written(), nl=False)
    elif found.scored:
        _print(found)
    for reason in _reasons(found.failed):
        say(f"error: {reason}")
    if found.failed:
        raise typer.Exit(1 if found.scored else 2)


def _ranking(found: ModelComparison) -> Ranking:
    """Return the models scored so far; the picture beside them is the share of the bound."""
    columns = ("model", "score", "saturation", "#params", "seconds")
    rows: list[Row] = []
    if not found.scored:
        return Ranking("", columns, rows)
    cells = found.view[list(columns)].itertuples(index=False)
    for one, (name, *others) in zip(found.scored, cells):
        drawn = [score / one.swap.bound for score in one.drawn]
        share = (min(drawn), one.score / one.swap.bound, max(drawn))
        rows.append(Row(name, tuple(others), interval=share))
    return Ranking("SWAP-Score so far", columns, rows)


def _reasons(failed: Iterable[ModelScore]) -> Iterator[str]:
    """Say once what several models failed of."""
    alike: dict[str, list[ModelScore]] = {}
    for one in failed:
        alike.setdefault(str(one.error).replace(one.name, ""), []).append(one)
    for first, *others in alike.values():
        names = ", ".join(other.name for other in others)
        yield f"{first.error} The same holds for {names}." if others else str(first.error)


def _print(found: ModelComparison) -> None:
    view = found.view
    rows = [[str(cell) for cell in row] for row in view.itertuples(index=False)]
    left = {"rank", "model", "recorded", "seen only"}
    keep = 3 + (found.mu is not None)
    print_table("SWAP-Score, best first", list(view.columns), rows, left=left, keep=keep)
    typer.echo(f"{found.samples} samples. Compare scores made with the same inputs only.")
    for remark in found.remarks:
        typer.echo(remark)
