"""`naslib-swap scores`: the scores that come with the package."""

from __future__ import annotations

from typing import Annotated

import typer

from naslib_swap.cli.declared import command
from naslib_swap.cli.session import place

app = typer.Typer(
    help="Show and write the scores that come with the package.", no_args_is_help=True
)


@app.command("list")
@command()
def list_scores() -> None:
    """List what comes with the package: SWAP and reg-SWAP of which networks, made with what."""
    from naslib_swap.scoring import shipped

    for space in shipped.names():
        table = shipped.load(space)
        if table is None:
            print(f"{space}: of another version of scores, not used")
            continue
        print(f"{space}: {len(table.keys)} architectures, {len(table.places)} networks")
        for column in table.columns:
            recipe = column.recipe
            scored = int((column.seen[:, 0] > 0).sum())
            print(
                f"  {', '.join(column.variants)}: {scored} networks, {recipe.samples} images "
                f"{'x'.join(map(str, recipe.shape))} ({recipe.source}, digest {recipe.digest}), "
                f"seed {column.seed}, version {recipe.version}"
            )


@app.command()
@command()
def write(
    into: Annotated[str, typer.Option(help="A table of Suite-Zero's form, zc_SPACE.json.")],
    out: Annotated[str, typer.Option(help="The table to write.")],
    space: Annotated[str, typer.Option(help="Search space.")] = "nasbench201",
    images: Annotated[
        str, typer.Option(help="Scored on which images: natural, or cifar10.")
    ] = "natural",
    anew: Annotated[
        bool, typer.Option("--anew", help="Replace columns that the table has.")
    ] = False,
) -> None:
    """Add SWAP and reg-SWAP to a table of NAS-Bench-Suite-Zero, computing nothing."""
    from naslib_swap.evaluation.shipped_table import write_columns

    made = write_columns(space, into, place(out), images=images, anew=anew)
    for task, rows in made.rows.items():
        print(f"{task}: {made.filled[task]} of {rows} architectures")
    print(f"Written to {made.path}")
