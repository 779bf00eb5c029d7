"""Zero-cost proxies by name, and the plain types that they are made of.

A proxy of your own is one file; an entry point in the group ``naslib_swap.proxies`` (or `register`)
makes it known to every command and to NASLib:

>>> from naslib_swap.proxies import Proxy, register
>>> widest = register(
...     Proxy(
...         name="widest",
...         title="Widest layer",
...         compute=lambda probe: max(p.shape[0] for p in probe.net.parameters()),
...     )
... )
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Union

from naslib_swap.registry import Registry

if TYPE_CHECKING:
    from naslib_swap.predictors.passes.probe import Probe

__all__ = [
    "DEFAULT",
    "PROXIES",
    "Measurement",
    "Probe",
    "Proxy",
    "chosen",
    "get",
    "higher_is_better",
    "names",
    "register",
]

NEEDS = frozenset({"data", "labels", "gradients"})


@dataclass(frozen=True)
class Measurement:
    """A value together with its saturation: the share of its upper bound that it reaches."""

    value: float
    saturation: float | None = None


@dataclass(frozen=True)
class Proxy:
    """A zero-cost proxy: a pure function of a `Probe`, and what is known about it.

    Attributes
    ----------
    name
        What tables and commands call it, such as ``"grad_norm"``.
    title
        What pictures call it, such as ``"GradNorm"``.
    compute
        Probe -> value. Whatever it raises becomes the error of its score.
    needs
        What it looks at beside the weights: a subset of ``data``, ``labels``, ``gradients``.
    higher_is_better
        False where a *lower* value predicts a higher accuracy. Values are reported as defined,
        never negated; statistics take the direction from here.
    reference
        Paper and equation.
    scale
        Unit or domain of the value, such as ``"natural logarithm"``.
    reads
        Names of the settings that the value depends on. Stored scores are kept apart by these, so
        that a change of `mu` scores nothing anew that does not read it.
    size_weighable
        Whether a search may weigh its logarithm by size: higher is better, and by its definition it
        is never negative.
    passes
        The passes of `Probe` that it asks for, or may ask for: ``forward``, ``loss``,
        ``loss_graph``, ``jacobian``. Proxies with passes are computed first, and the graph is freed
        after them.
    by_default
        Whether a table has it unless told otherwise: False for those that cost more than a second
        for each network on a CPU, or are meant for networks of another kind.
    """

    name: str
    title: str
    compute: Callable[[Any], Union[float, Measurement]]
    needs: frozenset[str] = frozenset()
    higher_is_better: bool = True
    reference: str = ""
    scale: str = ""
    reads: frozenset[str] = frozenset()
    size_weighable: bool = False
    passes: frozenset[str] = frozenset()
    by_default: bool = True


PROXIES: Registry[Proxy] = Registry(
    "proxy", "naslib_swap.predictors", "PROXY", "naslib_swap.proxies"
)
register, get, names = PROXIES.register, PROXIES.get, PROXIES.names


def higher_is_better(name: str) -> bool:
    """Return whether a higher value is better; True for names that no proxy has."""
    return name not in names() or get(name).higher_is_better


DEFAULT = "default"
"""In place of a name: all proxies that a table has unless told otherwise."""


def chosen(asked: Iterable[str]) -> tuple[str, ...]:
    """Return the proxies that are asked for: each once, in order; none means all.

    Raises
    ------
    BadArgument
        For a name that no proxy has.

    Examples
    --------
    >>> chosen(["swap", "params", "swap"])
    ('swap', 'params')
    """
    found: dict[str, None] = {}
    for name in tuple(asked) or names():
        if name == DEFAULT:
            found.update(dict.fromkeys(n for n in names() if get(n).by_default))
        else:
            found[get(name).name] = None
    return tuple(found)


def __getattr__(name: str) -> Any:
    # Here for whoever writes a proxy; not at import, as the probe needs torch.
    if name == "Probe":
        from naslib_swap.predictors.passes.probe import Probe

        return Probe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
