"""The plain types that proxies are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Union

if TYPE_CHECKING:
    from naslib_swap.predictors.probe import Probe

NEEDS = frozenset({"data", "labels", "gradients"})


@dataclass(frozen=True)
class Measurement:
    """A value together with its saturation: the share of its upper bound that it reaches."""

    value: float
    saturation: float | None = None


@dataclass(frozen=True)
class Proxy:
    """A zero-cost proxy: a pure function of a `Probe`, and what is known about it.

    Attributes:
        name: What tables and commands call it, e.g. ``"grad_norm"``.
        title: What pictures call it, e.g. ``"GradNorm"``.
        compute: Probe -> value. Anything it raises becomes the `ProxyScore.error`.
        needs: What it looks at beside the weights: a subset of ``data``, ``labels``, ``gradients``.
        higher_is_better: False where a *lower* value predicts a higher accuracy. Values are
            reported as defined, never negated; statistics take the direction from here.
        reference: Paper and equation.
        scale: Unit or domain of the value, e.g. ``"natural logarithm"``.
        reads: Names of the `Probe.settings` that the value depends on. Stored scores are kept apart
            by these, so that a change of `mu` scores nothing anew that does not read it.
        size_weighable: Whether a search may weigh its logarithm by size: higher is better, and by
            its definition it is never negative.
        passes: The passes of `Probe` that it asks for, or may ask for: ``forward``, ``loss``,
            ``loss_graph``, ``jacobian``. Proxies with passes are computed first, and the graph is
            freed after them.
    """

    name: str
    title: str
    compute: Callable[[Probe], Union[float, Measurement]]
    needs: frozenset[str] = frozenset()
    higher_is_better: bool = True
    reference: str = ""
    scale: str = ""
    reads: frozenset[str] = frozenset()
    size_weighable: bool = False
    passes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ProxyScore:
    """What scoring one network by one proxy gave.

    Attributes:
        value: A finite number, or None where `error` says why there is none.
        seconds: What the proxy costs alone: its own time and that of every pass it used, even
            where another proxy had already paid for the pass.
        error: Exception type and message, or None.
        saturation: Share of the upper bound, in [0, 1], where the proxy has one.
    """

    value: float | None
    seconds: float
    error: str | None = None
    saturation: float | None = None
