"""How the plugin scores an architecture, and where the user says so.

Defaults, then environment variables, then the node `swap` of a NASLib configuration (in a file, or
as `--swap.samples 32`): the later one wins.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Optional

from naslib_swap.errors import SwapError

PREFIX = "NASLIB_SWAP_"
_LARGEST = 64
_SAMPLES = {"nasbench201": 16}


@dataclass(frozen=True)
class Settings:
    """What a live score depends on, beside architecture, space and dataset.

    `samples` 0 means 16 on NAS-Bench-201 and 32 elsewhere, where 16 do not tell the larger networks
    apart. `images` names a source of `naslib_swap.inputs.load` (or a path); empty means: NASLib's
    own folder of the data set if it is there, else natural crops. `mu` and `sigma` are in thousands
    of parameters; where they are None they come from the sizes of `sizes` sampled architectures.
    `resolution` is the height and width of the images; 0 means the data set's own, at most 64 (the
    256 pixels of TransNAS-Bench-101 cost 16 times as much and reach the scores' bound).
    `keep` False leaves the scores on disk alone.
    """

    samples: int = 0
    repeats: int = 0
    seed: int = 0
    images: str = ""
    mu: Optional[float] = None
    sigma: Optional[float] = None
    sizes: int = 1000
    resolution: int = 0
    keep: bool = True

    def shape_for(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one sample, (..., H, W), for a task whose own shape is `shape`."""
        sides = [self.resolution or min(side, _LARGEST) for side in shape[-2:]]
        return (*shape[:-2], *sides)

    def samples_for(self, space: str) -> int:
        """Return S for the networks of a search space."""
        return self.samples or _SAMPLES.get(space, 32)


_TYPES: dict[str, type] = {
    "samples": int,
    "repeats": int,
    "seed": int,
    "images": str,
    "mu": float,
    "sigma": float,
    "sizes": int,
    "resolution": int,
    "keep": bool,
}
_configured: dict[str, Any] = {}


def current() -> Settings:
    """Return the settings in force."""
    from_environment = {
        name: value for name in _TYPES if (value := os.environ.get(PREFIX + name.upper(), "")) != ""
    }
    return with_values(with_values(Settings(), from_environment, "environment"), _configured)


def configure(values: Mapping[str, Any]) -> None:
    """Take the node `swap` of a configuration; SwapError for a name or value that cannot be."""
    with_values(Settings(), values)
    _configured.clear()
    _configured.update(values)


def names() -> tuple[str, ...]:
    """Names of all settings."""
    return tuple(field.name for field in fields(Settings))


def with_values(settings: Settings, values: Mapping[str, Any], where: str = "swap") -> Settings:
    """Return `settings` with `values` (numbers or their text) put in."""
    unknown = sorted(set(values) - set(_TYPES))
    if unknown:
        raise SwapError(
            f"{where}: unknown setting {', '.join(unknown)}; known are {', '.join(_TYPES)}"
        )
    settings = replace(settings, **{k: _converted(k, v, where) for k, v in values.items()})
    if settings.resolution < 0:
        raise SwapError(f"{where}: resolution={settings.resolution}, expected pixels, or 0")
    if settings.samples < 0 or settings.samples == 1 or settings.repeats < 0 or settings.sizes < 2:
        raise SwapError(
            f"{where}: samples={settings.samples}, repeats={settings.repeats}, "
            f"sizes={settings.sizes}; expected samples >= 2 (or 0: the space's default), "
            "repeats >= 0 and sizes >= 2"
        )
    if (settings.mu is None) != (settings.sigma is None):
        raise SwapError(f"{where}: give mu and sigma together, in thousands of parameters")
    return settings


def _converted(name: str, value: Any, where: str) -> Any:
    kind = _TYPES[name]
    if value is None or (name in ("mu", "sigma") and value == ""):
        return None
    if kind is bool:
        text = str(value).strip().lower()
        if text in ("1", "true", "yes", "on"):
            return True
        if text in ("0", "false", "no", "off"):
            return False
    else:
        try:
            return kind(value)
        except (TypeError, ValueError):
            pass
    raise SwapError(f"{where}: {name}={value!r}, expected {kind.__name__}")
