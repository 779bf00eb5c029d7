"""`naslib-swap naslib RUNNER ARGS...`: run one of NASLib's runners with the plugin in place."""

from __future__ import annotations

from typing import Annotated

import typer

from naslib_swap.cli.declared import command

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
"""For `app.command(context_settings=...)`: the runner reads its own arguments."""


@command()
def naslib(
    context: typer.Context,
    runner: Annotated[
        str,
        typer.Argument(help="A script, or its place below naslib/runners: zc, zc/benchmarks, nas."),
    ],
) -> None:
    """Run a NASLib runner with the plugin; all further arguments are the runner's own.

    The same as `python naslib/runners/RUNNER/runner.py ARGS...` where the plugin is installed, and
    the way to it where start-up files are not allowed.
    """
    from naslib_swap.plugin.launcher import launch

    launch(runner, context.args)
