"""`naslib-swap data`: which public data there is, where it is, and getting it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn
from rich.progress import TransferSpeedColumn as SpeedColumn
from rich.table import Column, Table

from naslib_swap.cli.declared import command
from naslib_swap.cli.printing import as_text
from naslib_swap.errors import BadArgument, BadFile, SwapError
from naslib_swap.ground_truth import catalogue
from naslib_swap.ground_truth.catalogue import CATALOGUE, Entry

_PLAIN_WIDTH = 200
"""Columns of a table that goes into a file or a pipe."""

app = typer.Typer(help="List, fetch and verify public data.", no_args_is_help=True)


@app.command("list")
@command()
def list_data(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not a table.")] = False,
) -> None:
    """List the public data that the package knows, and where it was found."""
    found = {name: catalogue.find(entry) for name, entry in CATALOGUE.items()}
    if as_json:
        typer.echo(json.dumps([_as_json(CATALOGUE[name], path) for name, path in found.items()]))
        return
    table = Table(
        Column("name", no_wrap=True),
        "what it is",
        "licence",
        "size",
        Column("where", overflow="fold"),
    )
    for name, path in found.items():
        entry = CATALOGUE[name]
        where = f"missing: {_remedy(entry)}" if path is None else str(path)
        cells = (name, entry.what, entry.licence, _readable(entry.size), where)
        table.add_row(*map(as_text, cells))
    console = Console()
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    console.print(table)


@app.command()
@command()
def fetch(
    names: Annotated[Optional[list[str]], typer.Argument(help="Names from `data list`.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Fetch all that can be downloaded.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar, no messages.")] = False,
) -> None:
    """Download public data into the cache, verified by its SHA-256; what is there stays."""
    if bool(names) == everything:
        raise BadArgument("data fetch needs either names from `naslib-swap data list` or --all")
    wanted = [catalogue.entry(name) for name in names or ()]
    if everything:
        wanted = [entry for entry in CATALOGUE.values() if entry.url is not None]
    failures = []
    for entry in wanted:
        try:
            path = _fetched(entry, quiet)
        except SwapError as error:
            failures.append(str(error))
            continue
        if not quiet:
            typer.echo(f"{entry.name}: {path}")
    if failures:
        raise BadFile("; ".join(failures))


@app.command()
@command()
def verify(
    names: Annotated[
        Optional[list[str]], typer.Argument(help="Names from `data list`; all when left out.")
    ] = None,
) -> None:
    """Compare what was found with the catalogue's SHA-256; status 1 when anything is wrong.

    A file that is missing is wrong only where it was asked for by name.
    """
    wrong = False
    for entry in [catalogue.entry(name) for name in names] if names else CATALOGUE.values():
        path = catalogue.find(entry)
        if path is None:
            typer.echo(f"{entry.name}: missing ({_remedy(entry)})")
            wrong = wrong or bool(names)
            continue
        try:
            catalogue.verify(entry, path)
        except SwapError as error:
            typer.echo(f"{entry.name}: corrupted ({error})")
            wrong = True
        else:
            typer.echo(f"{entry.name}: ok ({path})")
    if wrong:
        raise typer.Exit(1)


def _fetched(entry: Entry, quiet: bool) -> Path:
    if catalogue.find(entry) is not None:
        return catalogue.locate(entry.name)
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        return catalogue.download(entry)
    columns = (BarColumn(), DownloadColumn(), SpeedColumn(), TimeRemainingColumn())
    with Progress("{task.description}", *columns, console=console) as progress:
        return catalogue.download(entry, _Bar(progress, entry.name))


class _Bar:
    """What pooch asks of a progress bar, shown by Rich."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task(name)

    @property
    def total(self) -> float | None:
        """Bytes to come."""
        return self._progress.tasks[self._task].total

    @total.setter
    def total(self, size: float) -> None:
        self._progress.update(self._task, total=size)

    def update(self, size: int) -> None:
        """Count bytes that arrived."""
        self._progress.advance(self._task, size)

    def reset(self) -> None:
        """Start counting anew."""
        self._progress.reset(self._task)

    def close(self) -> None:
        """Leave the bar as it is; the surrounding `Progress` closes it."""


def _as_json(entry: Entry, path: Path | None) -> dict[str, Any]:
    return {
        "name": entry.name,
        "what": entry.what,
        "licence": entry.licence,
        "size": entry.size,
        "url": entry.url,
        "sha256": entry.sha256,
        "citation": entry.citation,
        "path": entry.path,
        "found": None if path is None else str(path),
        "remedy": _remedy(entry) if path is None else None,
    }


def _remedy(entry: Entry) -> str:
    if entry.url is None:
        return f"no download; put it at {catalogue.by_hand(entry)}"
    return f"naslib-swap data fetch {entry.name}"


def _readable(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
