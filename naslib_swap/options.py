"""Options declared once: they serve the library, YAML files and the command line.

A plan is a frozen dataclass whose fields are made by `option`: name, type, default and help are in
one place. Modules that define plans write ``Optional[str]``, not ``str | None``: types are read
when the program runs, on Python 3.9 too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import field, fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from naslib_swap import quoting
from naslib_swap.errors import BadArgument, BadFile

P = TypeVar("P")


def option(
    default: Any,
    help: str,
    *,
    read: Callable[[Any], Any] | None = None,
    shown: str | None = None,
    least: int | None = None,
    most: int | None = None,
) -> Any:
    """Declare an option of a plan: a dataclass field.

    Parameters
    ----------
    default
        Its value unless it is given.
    help
        One sentence for people.
    read
        Turns what a file or the command line holds (mostly text) into the value; raises ValueError
        that says what was expected.
    shown
        How the help shows the default.
    least, most
        The smallest and the largest whole number allowed.
    """
    about = {"help": help, "read": read, "shown": shown, "least": least, "most": most}
    return field(default=default, metadata={**about, "may_be_empty": default == ""})


def names_or_all(value: Any) -> tuple[str, ...]:
    """Read names separated by commas, a list of names, or all (as no names)."""
    given = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not all(isinstance(name, str) for name in given):
        raise ValueError("names, or all")
    if not given:
        raise ValueError("at least one name, or all")
    return () if list(given) == ["all"] else tuple(dict.fromkeys(given))


def count_or_all(value: Any) -> int | None:
    """Read a whole number, or all (as None)."""
    if value in ("all", None):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    raise ValueError("a whole number, or all")


def plan_of(kind: type[P], given: Mapping[str, Any], where: str, *, text: bool = False) -> P:
    """Make a plan from options by name.

    Parameters
    ----------
    kind
        The class of the plan; its ``RENAMED`` maps former names of options to today's.
    given
        Values by name; the others take their defaults.
    where
        Where they come from, for messages.
    text
        Values may be text, as environment variables are: it is turned into their type.

    Raises
    ------
    BadArgument
        A name that no option has, or a value that does not fit.
    """
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    types = get_type_hints(kind)
    renamed: Mapping[str, str] = getattr(kind, "RENAMED", {})
    for name in given:
        if name in renamed:
            raise BadArgument(f"{where}: {name} is now called {renamed[name]}.")
    unknown = [str(name) for name in given if name not in known]
    if unknown:
        raise BadArgument(
            f"{where}: unknown option(s) {quoting.listed(unknown)}, expected {', '.join(known)}."
        )
    values = {
        name: _value(name, value, types[name], known[name].metadata, where, text)
        for name, value in given.items()
    }
    return kind(**values)


def check_plan(plan: Any) -> None:
    """Complain of a plan that was made in Python with values that do not fit.

    Raises
    ------
    BadArgument
        A value of another type than its option's, or out of its range.
    """
    types = get_type_hints(type(plan))
    for one in fields(plan):
        about = {**one.metadata, "read": None}
        _value(one.name, getattr(plan, one.name), types[one.name], about, "", False)


def read_config(config: str, folder: str) -> dict[str, Any]:
    """Read options from YAML: the path of a file, or the name of a packaged one.

    Raises
    ------
    BadFile
        There is no such file, or it is no YAML mapping.
    """
    from naslib_swap.yaml_files import parse_yaml

    names = config_names(folder)
    packaged = config in names and not Path(config).is_file()
    source = (
        resources.files("naslib_swap.configs") / folder / f"{config}.yaml"
        if packaged
        else Path(config)
    )
    try:
        content = parse_yaml(source.read_text(encoding="utf-8"), config)
    except (OSError, ValueError) as error:
        raise BadFile(
            f"cannot read the configuration {quoting.legible(config)}: "
            f"{quoting.one_line(error)}. Give a YAML file, or one of {', '.join(names)}."
        ) from None
    if not isinstance(content, dict):
        raise BadFile(f"{config} holds {type(content).__name__}, expected options by name.")
    return content


def config_names(folder: str) -> tuple[str, ...]:
    """Return the names of the packaged configurations in a folder of ``configs/``."""
    place = resources.files("naslib_swap.configs") / folder
    return tuple(sorted(f.name[:-5] for f in place.iterdir() if f.name.endswith(".yaml")))


def value_kind(hint: Any) -> tuple[type, bool]:
    """Return the type of an option's values, and whether it may be None."""
    if get_origin(hint) is Union:
        inner = [kind for kind in get_args(hint) if kind is not type(None)]
        return inner[0], True
    return (get_origin(hint) or hint), False


def _value(
    name: str, value: Any, hint: Any, about: Mapping[str, Any], where: str, text: bool
) -> Any:
    expected = f"{where}: " * bool(where) + f"got {name} {quoting.shown(value, 200)}, expected"
    if about.get("read") is not None:
        try:
            value = about["read"](value)
        except ValueError as error:
            raise BadArgument(f"{expected} {error}.") from None
    kind, optional = value_kind(hint)
    if text and isinstance(value, str):
        value = _from_text(value, kind, optional)
    if value is None and optional:
        return None
    accepted = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise BadArgument(f"{expected} {kind.__name__}{' or nothing' if optional else ''}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadArgument(f"{expected} a finite number.")
    if about.get("least") is not None and value < about["least"]:
        raise BadArgument(f"{expected} at least {about['least']}.")
    if about.get("most") is not None and value > about["most"]:
        raise BadArgument(f"{expected} at most {about['most']:,}.")
    if value == "" and not about.get("may_be_empty", True):
        raise BadArgument(f"{expected} some text; leave the option out for its default.")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise BadArgument(f"{expected} a number below 2^63.")
    return value


_WORDS = {"true": True, "yes": True, "on": True, "1": True}
_WORDS.update({"false": False, "no": False, "off": False, "0": False})


def _from_text(value: str, kind: type, optional: bool) -> Any:
    """Return the value of that kind which a text stands for, or else the text itself."""
    word = value.strip().lower()
    if optional and word in ("", "none"):
        return None
    if kind is bool:
        return _WORDS.get(word, value)
    if kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            return value
    return value
