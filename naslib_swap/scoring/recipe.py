"""How a score is made: all that it depends on beside subject, proxy and seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from naslib_swap.scoring.conditions import Conditions
    from naslib_swap.scoring.subject import Subject

VERSION = 3
"""Counted up when a score changes for the same subject, proxy, seed and inputs. Stored scores of
another version are not used, and searches of another version are not resumed."""


@dataclass(frozen=True)
class Recipe:
    """What a score was made with.

    Attributes
    ----------
    version
        See `VERSION`.
    variant
        Which of the networks that the subject stands for; empty where there is one only.
    shape
        Shape of one sample.
    samples, digest
        Number and digest of the inputs; 0 and empty for a proxy that looks at none.
    labels
        Digest of the labels, for a proxy that looks at them where a user's file gives them.
    device
        Kind of device: sums differ by device, and with them signs.
    settings
        Those that the proxy reads, in the order of their names.
    source
        Where the inputs came from, for people: the digest says what they are.
    """

    variant: str = ""
    shape: tuple[int, ...] = ()
    samples: int = 0
    digest: str = ""
    labels: str = ""
    device: str = "cpu"
    settings: tuple[tuple[str, Any], ...] = ()
    version: int = VERSION
    source: str = field(default="", compare=False)

    @classmethod
    def of(cls, subject: Subject, name: str, conditions: Conditions, seed: int) -> Recipe:
        """Return what the score of a subject by the proxy of that name is made with under a seed.

        Raises
        ------
        SwapError
            An unknown proxy, or inputs that cannot be loaded.
        """
        from naslib_swap.scoring.images import Digests  # here: recipes are read without torch

        proxy, inputs = subject.proxy(name), conditions.inputs
        looks = "data" in proxy.needs
        digests = inputs.digests(subject.takes, seed) if looks else Digests("")
        read = sorted(proxy.reads & set(conditions.settings))
        return cls(
            variant=subject.variant,
            shape=inputs.shape(subject.takes),
            samples=inputs.samples if looks else 0,
            digest=digests.inputs,
            labels=digests.labels if "labels" in proxy.needs else "",
            device=conditions.device.split(":")[0],
            settings=tuple((setting, conditions.settings[setting]) for setting in read),
            source=inputs.source if looks else "",
        )

    @cached_property
    def id(self) -> str:
        """A short name: the same for the same recipe, on any machine."""
        compared = {f.name: getattr(self, f.name) for f in fields(self) if f.compare}
        text = json.dumps(compared, sort_keys=True, default=float)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it; `read` is the inverse."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            **{name: value for name, value in values.items() if value not in ("", (), 0)},
            "shape": list(self.shape),
            "settings": dict(self.settings),
        }

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Recipe:
        """Return the recipe that `plain` wrote.

        Raises
        ------
        ValueError
            If it is none.
        """
        kinds = {f.name: type(f.default) for f in fields(cls)}
        given = dict(plain)
        if not isinstance(given.get("shape"), list) or not isinstance(given.get("settings"), dict):
            raise ValueError("a recipe has a shape and settings")
        given["shape"] = tuple(given["shape"])
        given["settings"] = tuple(
            (name, tuple(value) if isinstance(value, list) else value)  # JSON has no tuples
            for name, value in sorted(given["settings"].items())
        )
        for name, value in given.items():
            if name not in kinds or type(value) is not kinds[name]:
                raise ValueError(f"{name} = {value!r} has no place in a recipe")
        return cls(**given)

    def difference(self, other: Recipe) -> str:
        """Say what differs from another recipe, for people; empty where they are equal."""
        mine, others = self._shown(), other._shown()
        names = [name for name in {**others, **mine} if mine.get(name) != others.get(name)]
        shown = [name for name in names if name not in ("digest", "labels")] or names
        return ", ".join(f"{n} {mine.get(n)} (now {others.get(n)})" for n in shown)

    def _shown(self) -> dict[str, Any]:
        compared = {f.name: getattr(self, f.name) for f in fields(self) if f.compare}
        del compared["settings"]
        if self.digest:
            compared["digest"] = f"{self.digest} ({self.source})" if self.source else self.digest
        return {**compared, **dict(self.settings)}


def unweighed(recipe: Recipe) -> Recipe:
    """Return a recipe without what only a weight by size reads, and without settings at rest.

    Where nothing is re-initialised, nothing is re-initialised at once either.
    """
    settings = {name: value for name, value in recipe.settings if name not in ("mu", "sigma")}
    if not settings.get("repeats", 0):
        settings = {n: v for n, v in settings.items() if n not in ("repeats", "batch_repeats")}
    return replace(recipe, settings=tuple(settings.items()))
