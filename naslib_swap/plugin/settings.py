"""How the plugin scores an architecture, and where the user says so.

Defaults, then environment variables, then the node `swap` of a NASLib configuration (in a file, or
as `--swap.samples 32`): the later one wins.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from naslib_swap.errors import BadArgument
from naslib_swap.options import option, plan_of
from naslib_swap.scoring.plan import ScoringPlan

PREFIX = "NASLIB_SWAP_"
_NASLIBS = {"space": "search_space", "task": "dataset"}  # as NASLib's configuration calls them


@dataclass(frozen=True)
class Settings(ScoringPlan):
    """What a live score depends on; see `ScoringPlan` for the options that all doors share.

    `inputs` may also be ``dataset``: NASLib's data set, from NASLib's own folder where it is there.
    """

    RENAMED: ClassVar[Mapping[str, str]] = {"images": "inputs"}

    seed: int = option(0, "Of weights and images.", least=0)
    keep: bool = option(True, "Keep scores on disk.")
    shipped: bool = option(True, "Take scores that come with the package.")


_configured: dict[str, Any] = {}


def current() -> Settings:
    """Return the settings in force.

    Raises
    ------
    BadArgument
        An environment variable with a value that cannot be.
    """
    names_there = [*names(), *Settings.RENAMED]
    environment = {n: os.environ.get(PREFIX + n.upper(), "") for n in names_there}
    environment = {name: value for name, value in environment.items() if value}
    read(environment, f"environment ({PREFIX}...)")
    return read({**environment, **_configured})


def configure(values: Mapping[str, Any]) -> None:
    """Take the node `swap` of a configuration.

    Raises
    ------
    BadArgument
        A name or value that cannot be.
    """
    read(values)
    _configured.clear()
    _configured.update(values)


def names() -> tuple[str, ...]:
    """Names of all settings."""
    return tuple(field.name for field in fields(Settings) if field.name not in _NASLIBS)


def read(values: Mapping[str, Any], where: str = "swap") -> Settings:
    """Return settings from values, which may be text.

    Raises
    ------
    BadArgument
        A name or value that cannot be.
    """
    for name in sorted(set(values) & set(_NASLIBS)):
        raise BadArgument(f"{where}: got {name}, expected {_NASLIBS[name]}, outside of the node.")
    return plan_of(Settings, values, where, text=True)
