"""What a user asks for of FlexiBERT encoders: plain options, from a file and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Optional

from naslib_swap.errors import SwapError
from naslib_swap.evaluation import configuration


@dataclass(frozen=True)
class Options:
    """What a run depends on; the keys of a ``--config`` file."""

    archs: int = 0
    proxies: str = "all"
    seeds: int = 1
    fidelity: str = "paper"
    operations: str = "stated"
    mode: str = "train"
    cotangent: str = "random"
    observed: int = 32
    text: str = "openwebtext"
    tokenizer: str = "auto"
    samples: int = 128
    length: int = 128


def options_of(config: Optional[str], given: Mapping[str, Any]) -> Options:
    """Return the options of a configuration, over which those ``given`` win.

    ``config`` is the path of a YAML file, the name of a packaged one (`config_names`), or None.

    Raises
    ------
    SwapError
        The file is missing or no YAML mapping, or has a key or a type that no option has.
    """
    from_file = {} if config is None else _read(config)
    return Options(**{**from_file, **given})


def config_names() -> tuple[str, ...]:
    """Names of the packaged configurations."""
    return configuration.names("flexibert")


def _read(config: str) -> dict[str, Any]:
    content = configuration.read(config, "flexibert", config)
    known = {field.name: type(field.default) for field in fields(Options)}
    for key, value in content.items():
        if key not in known:
            raise SwapError(f"{config}: unknown option {key!r}; expected {', '.join(known)}")
        if type(value) is not known[key]:
            raise SwapError(
                f"{config}: {key} is {value!r}; expected a value of type {known[key].__name__}"
            )
    return content
