"""Options declared once, read from Python, YAML and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

import pytest
import typer
from typer.testing import CliRunner

from naslib_swap.cli.declared import command
from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.options import (
    config_names,
    count_or_all,
    names_or_all,
    option,
    plan_of,
    read_config,
)


@dataclass(frozen=True)
class Meal:
    """A plan with each kind of option."""

    dish: str = option("soup", "What there is.")
    guests: int = option(2, "How many.", least=1, most=100)
    town: str = option("", "Where.")
    salt: Optional[float] = option(None, "Grams.")
    sides: tuple[str, ...] = option((), "Names, or all.", read=names_or_all, shown="all")
    seats: Optional[int] = option(4, "A number, or all.", read=count_or_all, shown="4")
    late: bool = option(False, "Whether it may be late.")
    RENAMED: ClassVar[dict[str, str]] = {"plates": "guests"}


def test_options_become_a_plan():
    given = {"guests": 3, "salt": 2, "sides": "rice, beans", "seats": "all", "late": True}
    assert plan_of(Meal, given, "here") == Meal("soup", 3, "", 2, ("rice", "beans"), None, True)
    assert plan_of(Meal, {"sides": ["rice", "rice"], "seats": "7"}, "x").sides == ("rice",)
    assert plan_of(Meal, {"sides": "all", "salt": None}, "x") == Meal()
    assert plan_of(Meal, {"town": ""}, "x") == Meal()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"plates": 3}, "here: plates is now called guests"),
        ({"fork": 3}, "here: unknown option.s. fork, expected dish, guests, town"),
        ({"guests": "3"}, "got guests '3', expected int"),
        ({"guests": True}, "got guests True, expected int"),
        ({"guests": 0}, "got guests 0, expected at least 1"),
        ({"seats": 10**23}, "expected a number below 2.63"),
        ({"salt": float("inf")}, "got salt inf, expected a finite number"),
        ({"salt": "much"}, "got salt 'much', expected float or nothing"),
        ({"dish": None}, "got dish None, expected str"),
        ({"dish": ""}, "got dish '', expected some text; leave the option out"),
        ({"guests": 101}, "got guests 101, expected at most 100"),
        ({"guests": 10**5000}, "got guests a whole number of .* bits, expected at most 100"),
        ({"a\n\x1b": 1}, r"unknown option.s. a \\x1b, expected"),
        ({"sides": 3}, "got sides 3, expected names, or all"),
        ({"sides": []}, "expected at least one name, or all"),
        ({"seats": "many"}, "got seats 'many', expected a whole number, or all"),
        ({"seats": -1.5}, "expected a whole number, or all"),
    ],
)
def test_what_does_not_fit_is_named(given, message):
    with pytest.raises(BadArgument, match=message):
        plan_of(Meal, given, "here")


@pytest.fixture
def app():
    app, seen = typer.Typer(), []

    @app.command()
    @command(Meal)
    def cook(given: dict, hurry: bool = False) -> None:
        """Cook."""
        seen.append((given, hurry))

    return app, seen


def test_the_command_line_gives_what_stands_on_it_and_nothing_else(app):
    cooking, seen = app
    run = CliRunner().invoke
    assert run(cooking, []).exit_code == 0
    assert run(cooking, ["--guests", "3", "--sides", "rice", "--late", "--hurry"]).exit_code == 0
    assert seen == [({}, False), ({"guests": 3, "sides": "rice", "late": True}, True)]
    assert run(cooking, ["--guests", "x"]).exit_code == 2
    shown = run(cooking, ["--help"]).output
    assert "How many." in shown
    assert "plates" not in shown
    error = run(cooking, ["--plates", "3"]).exception
    assert str(error) == "--plates is now called --guests."


def test_configurations_are_files_or_packaged_names(tmp_path):
    assert {"darts1000", "figure4"} <= set(config_names("table"))
    assert read_config("darts1000", "table")["space"] == "darts"
    path = tmp_path / "mine.yaml"
    path.write_text("seeds: 3")
    assert read_config(str(path), "table") == {"seeds": 3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "holds list, expected options by name"),
        ("{", "cannot read the configuration"),
        ("a: " + "[" * 5000, "cannot read the configuration"),
        (None, "No such file.* or one of darts1000, figure4"),
    ],
)
def test_a_configuration_that_is_none_is_refused(tmp_path, content, message):
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadFile, match=message):
        read_config(str(path), "table")
