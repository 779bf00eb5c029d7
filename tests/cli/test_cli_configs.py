"""Help names the configurations that come with the package."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from naslib_swap.cli.main import app
from naslib_swap.options import config_names


@pytest.mark.parametrize("command", ["table", "flexibert"])
def test_help_names_every_packaged_configuration(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert f"a packaged one: {', '.join(config_names(command))}." in result.output
