"""Scores as lines of text: JSON that says itself whether it is whole.

Each line is an object of known fields with a checksum over the rest. What does not fit is named and
left out, never believed.
"""

from __future__ import annotations

import json
import math
import zlib
from sys import intern
from typing import Any

from naslib_swap.scoring.recipe import Recipe
from naslib_swap.scoring.record import Key, Record, Score

_CHECK = ', "check": "'
_RECIPE = ', "recipe": '
_FIELDS = {
    "space": (str,),
    "task": (str,),
    "arch": (str,),
    "proxy": (str,),
    "seed": (int,),
    "value": (int, float, type(None)),
    "saturation": (int, float, type(None)),
    "seconds": (int, float),
    "error": (str, type(None)),
    "trace": (str, type(None)),
}
_NUMBERS = ("value", "saturation", "seconds")
_RECIPES: dict[str, Recipe] = {}
# What was found to be right once, of which there is little, is not looked at again in a million
# lines: names with types of values, and the texts of recipes.
_SHAPES: set[tuple[tuple[str, ...], tuple[type, ...]]] = set()


class Damaged(ValueError):
    """A line that is not what was written."""


class Foreign(ValueError):
    """A line of another version of the program; it stays where it is."""


def write(record: Record) -> str:
    """Return a record as one line, without its end."""
    key, score, recipe = record
    body = {
        "space": key.space,
        "task": key.task,
        "arch": key.arch,
        "proxy": key.proxy,
        "seed": key.seed,
        "value": score.value,
        "saturation": score.saturation,
        "seconds": round(score.seconds, 6),
        "error": score.error,
        **({} if score.trace is None else {"trace": score.trace[-2000:]}),
        "recipe": recipe.plain(),
    }
    text = json.dumps(body, allow_nan=False)
    return f'{text[:-1]}{_CHECK}{_sum(text)}"}}'


def read(line: str) -> Record:
    """Return the record that `write` wrote.

    Raises
    ------
    Damaged
        If the line is not whole, or says what no score can be.
    Foreign
        If another version wrote it.
    """
    text, mark, check = line.rstrip().rpartition(_CHECK)
    if not mark:
        raise _kind_of(line)
    text += "}"
    if check != f'{_sum(text)}"}}':
        raise Damaged("its checksum does not fit")
    # Quotes inside a text are escaped, so this is where the last of the fields begins.
    scored, _, made = text.partition(_RECIPE)
    recipe = _RECIPES.get(made) or _recipe(made)
    body = _parsed(f"{scored}}}")
    shape = (tuple(body), tuple(map(type, body.values())))
    if shape not in _SHAPES:
        _check_fields(body)
        _SHAPES.add(shape)
    value, saturation, seconds = (_finite(name, body[name]) for name in _NUMBERS)
    key = Key(
        intern(body["space"]),
        intern(body["task"]),
        intern(body["arch"]),
        intern(body["proxy"]),
        body["seed"],
        intern(recipe.id),
    )
    score = Score(value, seconds or 0.0, body["error"], saturation, body.get("trace"))
    return Record(key, score, recipe)


def _sum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _parsed(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"it is no JSON ({type(error).__name__})") from None
    if not isinstance(body, dict):
        raise Damaged("it is no JSON object")
    return body


def _check_fields(body: dict[str, Any]) -> None:
    for name, kinds in _FIELDS.items():
        value = body.get(name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise Damaged(f"{name} is {str(value)[:40]!r}")
    if set(body) - set(_FIELDS):
        raise Damaged(f"it has the field {min(set(body) - set(_FIELDS))!r}")
    if (body["value"] is None) != (body["error"] is not None):
        raise Damaged("it has both a value and an error, or neither")


def _finite(name: str, number: float | None) -> float | None:
    if number is None:
        return None
    try:
        found = float(number)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise Damaged(f"{name} is {str(number)[:40]}")
    return found


def _recipe(text: str) -> Recipe:
    """Read the end of a line, from its recipe on."""
    if not text.endswith("}}"):
        raise Damaged("it has no recipe")
    try:
        _RECIPES[text] = Recipe.read(_parsed(text[:-1]))
    except (ValueError, TypeError) as error:
        raise Damaged(f"its recipe is damaged: {error}") from None
    return _RECIPES[text]


def _kind_of(line: str) -> ValueError:
    body = _parsed(line)
    if {"arch", "proxy", "settings_id"} <= set(body):
        return Foreign("an earlier version wrote it")
    return Damaged("it has no checksum")
