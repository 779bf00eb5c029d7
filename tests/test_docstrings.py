"""Docstrings of the public names: complete, in numpydoc's form; examples, which run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from inspect import isfunction
from pathlib import Path

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import naslib_swap
import naslib_swap.scoring

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "naslib_swap": "naslib_swap",
    "predictors": "naslib_swap.predictors",
    "optimizers": "naslib_swap.optimizers",
}

# Types are in the signature; what else is optional in numpydoc stays so.
OPTIONAL = {"PR04", "SA01", "ES01", "EX01"}
# Fields of classes are documented as attributes: `undocumented_fields` looks at these.
OF_CLASSES = OPTIONAL | {"PR01"}

RUN = """
import sys, doctest, importlib
def tested(place):
    if place.endswith(".md"):
        return doctest.testfile(place, module_relative=False, encoding="utf-8")
    return doctest.testmod(importlib.import_module(place))
sys.exit(any([tested(place).failed for place in sys.argv[1:]]))
"""

PUBLIC = {
    f"{package.__name__}.{name}": getattr(package, name)
    for package in (naslib_swap, naslib_swap.scoring)
    for name in package.__all__
    if name != "VERSION"
}
FUNCTIONS = [name for name, value in PUBLIC.items() if isfunction(value)]
CLASSES = [name for name, value in PUBLIC.items() if isinstance(value, type)]


def names_in(docstring: str) -> set[str]:
    """Names that the sections of a class's docstring explain."""
    sections = NumpyDocString(docstring)
    entries = [*sections["Parameters"], *sections["Attributes"]]
    return {name.strip() for entry in entries for name in entry.name.split(",")}


def undocumented_fields(kind: type) -> set[str]:
    """Fields of a data class or named tuple without an explanation; options have their help."""
    if is_dataclass(kind):
        plain = {f.name for f in fields(kind) if not f.metadata.get("help")}
    else:
        plain = set(getattr(kind, "_fields", ()))
    return plain - names_in(kind.__doc__ or "")


def has_examples(path: Path) -> bool:
    return re.search(r"^ *>>> ", path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def with_examples() -> Iterator[str]:
    """Names of modules with an example, and paths of such guides."""
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            if has_examples(path):
                parts = path.relative_to(ROOT / folder).with_suffix("").parts
                yield ".".join((package, *parts)).removesuffix(".__init__")
    yield from (str(path) for path in sorted((ROOT / "docs").glob("*.md")) if has_examples(path))


def faults(name: str, optional: set[str]) -> list[tuple[str, str]]:
    """What numpydoc says against a docstring."""
    return [error for error in validate(name)["errors"] if error[0] not in optional]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_functions_are_documented(name: str) -> None:
    assert faults(name, OPTIONAL) == []


@pytest.mark.parametrize("name", CLASSES)
def test_public_classes_are_documented(name: str) -> None:
    assert faults(name, OF_CLASSES) == []
    assert undocumented_fields(PUBLIC[name]) == set()


def test_a_field_without_an_explanation_is_seen() -> None:
    from naslib_swap.scoring import Key

    class Bare(Key):
        """What identifies a score."""

    assert undocumented_fields(Bare) == set(Key._fields)


def test_examples_run(tmp_path: Path) -> None:
    """In another process: one example registers a proxy."""
    for extra in ("analognasbench", "transformers"):
        pytest.importorskip(extra, reason="examples need the extras analog and text")
    places = list(with_examples())
    assert {"naslib_swap.score", str(ROOT / "docs" / "proxies.md")} <= set(places)
    done = subprocess.run(
        [sys.executable, "-c", RUN, *places], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
