"""`naslib-swap`: the command line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from naslib_swap import __version__
from naslib_swap.cli import data, naslib, scores, session
from naslib_swap.cli.cache import cache
from naslib_swap.cli.declared import command
from naslib_swap.cli.doctor import doctor
from naslib_swap.cli.flexibert import flexibert
from naslib_swap.cli.precompute import precompute
from naslib_swap.cli.score import score
from naslib_swap.cli.search import search
from naslib_swap.cli.table import table

app = typer.Typer(
    help="Rank neural networks before training: SWAP-Score and other zero-cost proxies.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(table)
app.command()(precompute)
app.command()(score)
app.command()(search)
app.command()(flexibert)
app.command(context_settings=naslib.CONTEXT)(naslib.naslib)
app.command()(doctor)
app.command()(cache)
app.add_typer(data.app, name="data")
app.add_typer(scores.app, name="scores")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
@command()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where in the code an error came from.")
    ] = False,
) -> None:
    session.debug = debug


def main() -> None:
    """Run the command line; an error that a user can mend is one line and status 2."""
    sys.exit(session.ended_by(app))
