"""`naslib-swap cache`: what this machine keeps between runs, and removing it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal

from naslib_swap.cli.declared import command
from naslib_swap.cli.printing import print_table
from naslib_swap.errors import BadArgument

if TYPE_CHECKING:
    from naslib_swap.scoring.cache import Kept


@command()
def cache(
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove what this version of naslib-swap does not use.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="With --prune: remove all scores and downloads.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not a table.")] = False,
) -> None:
    """Show what the cache folder holds: scores of NASLib runs, and downloads."""
    from naslib_swap.scoring import cache as kept

    if everything and not prune:
        raise BadArgument("got --all alone, expected it with --prune: it says what to remove.")

    def note(text: str) -> None:
        typer.echo(f"warning: {text}", err=True)

    found = kept.prune(everything=everything, note=note) if prune else kept.contents(note)
    if as_json:
        typer.echo(json.dumps([{**vars(one), "path": str(one.path)} for one in found], indent=2))
    elif found:
        _print("Removed" if prune else "The cache", found)
    else:
        typer.echo("Nothing to remove." if prune else "The cache is empty.")


def _print(title: str, found: Sequence[Kept]) -> None:
    rows = [
        (
            one.what,
            "" if one.scores is None else f"{one.scores:,}",
            decimal(one.size),
            str(one.path),
        )
        for one in found
    ]
    print_table(title, ("what", "scores", "size", "path"), rows, left={"what", "path"}, keep=4)
