"""What all scores of a run share, and what every door takes unless it is told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from naslib_swap import proxies, spaces
from naslib_swap.errors import BadArgument
from naslib_swap.regularisation import DEFAULT_RULE, RULES, Regularisation, from_sizes
from naslib_swap.scoring.images import Digests, Images

if TYPE_CHECKING:
    from collections.abc import Iterable


_SIZES = 1000  # architectures whose sizes give mu and sigma


class Inputs(Protocol):
    """Where a minibatch comes from: `Images`, or texts."""

    @property
    def source(self) -> str:
        """Its name, for people."""

    @property
    def samples(self) -> int:
        """S, the size of the minibatch."""

    def batch(self, task: Any, seed: int) -> Any:
        """Load the minibatch of a task under a seed."""

    def shape(self, task: Any) -> tuple[int, ...]:
        """Return the shape of one sample."""

    def digests(self, task: Any, seed: int) -> Digests:
        """Return what identifies that minibatch."""


@dataclass(frozen=True)
class Conditions:
    """What all scores of a run share, apart from subject, proxy and seed.

    Attributes
    ----------
    inputs
        Where the minibatch comes from.
    settings
        What single proxies read: ``repeats``, ``mu``, ``sigma``, ...
    device
        Where networks run.
    """

    inputs: Inputs = field(default_factory=Images)
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"


def conditions_for(
    space: str,
    task: str,
    *,
    variant: str | None = None,
    names: Iterable[str] = (),
    images: Images | None = None,
    mu: float | None = None,
    sigma: float | None = None,
    rule: str = DEFAULT_RULE,
    device: str = "cpu",
    **settings: Any,
) -> Conditions:
    """Return the conditions under which every door scores the architectures of a space.

    Parameters
    ----------
    space
        The search space.
    task
        One of its tasks.
    variant
        Which of its networks; None takes the task's own.
    names
        The proxies. `mu` and `sigma` are derived where one of them reads these, and
        `l_swag_interval` is the space's.
    images
        None takes crops of natural photographs; 0 samples take as many as suit the space.
    mu
        The size aimed at, in thousands of parameters. None derives it and `sigma` by `rule` from
        the sizes of random architectures of the space, without looking at accuracies or at what is
        scored.
    sigma
        The tolerance, in thousands of parameters.
    rule
        See :func:`naslib_swap.regularisation.from_sizes`.
    device
        Where networks run.
    **settings
        Further settings, such as ``repeats``.

    Returns
    -------
    Conditions
        What `score` and `Study` take.

    Raises
    ------
    BadArgument
        An unknown space, task, proxy or rule; only one of mu and sigma.

    Examples
    --------
    >>> conditions_for("nasbench201", "cifar10", names=["swap"], repeats=8).settings
    {'repeats': 8}
    """
    found = spaces.get(space)
    found.task(task)
    chosen = images or Images(samples=0)
    if not chosen.samples:
        chosen = replace(chosen, samples=found.samples)
    if (mu is None) != (sigma is None):
        raise BadArgument(
            f"got mu={mu} and sigma={sigma}, expected both or neither (thousands of parameters)."
        )
    given = Regularisation(mu, sigma) if mu is not None and sigma is not None else None
    if given is not None:
        given.of(1.0, 0.0)  # complain before the work, not after it
    if rule not in RULES:
        raise BadArgument(f"got rule {rule!r}, expected one of {', '.join(RULES)}.")
    if any("mu" in proxies.get(name).reads for name in names):
        sizing = given or regularisation_of(space, task, variant=variant, rule=rule)
        settings = {**settings, "mu": sizing.mu, "sigma": sizing.sigma}
    if any("l_swag_interval" in proxies.get(name).reads for name in names):
        settings = {"l_swag_interval": found.gradient_interval, **settings}
    return Conditions(chosen, settings, device)


@lru_cache(maxsize=64)
def regularisation_of(
    space: str,
    task: str,
    *,
    variant: str | None = None,
    rule: str = DEFAULT_RULE,
    count: int = _SIZES,
    seed: int = 0,
) -> Regularisation:
    """Derive mu and sigma from the sizes of ``count`` randomly sampled architectures of a space.

    Label-free: neither accuracies nor the architectures under study are looked at.
    """
    found = spaces.get(space)
    of = found.task(task)
    rng = np.random.default_rng([seed, 3])
    sizes = [
        found.parameters(
            found.sample(rng),
            variant=variant or of.variant,
            num_classes=of.num_classes,
            in_channels=of.in_channels,
        )
        / 1000
        for _ in range(count)
    ]
    return from_sizes(sizes, rule)
