"""`naslib-swap doctor`: what is here, what is not, and one line of advice for each problem."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from naslib_swap.cli.declared import command

_SIGNS = {"ok": "ok      ", "note": "note    ", "problem": "PROBLEM "}


@command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not lines.")] = False,
) -> None:
    """Check the installation, NASLib, the hook, repairs, tables and data; status 1 on a problem."""
    from naslib_swap.plugin.diagnosis import diagnose

    findings = diagnose()
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{_SIGNS[finding.status]}{finding.name}: {finding.detail}")
            if finding.advice:
                typer.echo(f"        -> {finding.advice}")
    if any(finding.status == "problem" for finding in findings):
        raise typer.Exit(1)
