"""What can be scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from naslib_swap.seeding import derived_seed

if TYPE_CHECKING:
    from naslib_swap.predictors.passes.shared import SharedPasses
    from naslib_swap.proxies import Proxy
    from naslib_swap.scoring.conditions import Conditions


class Subject(Protocol):
    """Something that proxies score: small plain data, as it is sent to workers.

    `space`, `task` and `name` identify it in a store; `variant` says which of its networks is
    meant. Subjects that are the same network have the same name.
    """

    @property
    def space(self) -> str:
        """The search space that it belongs to; empty where there is none."""

    @property
    def task(self) -> str:
        """The task that it is built for."""

    @property
    def name(self) -> str:
        """Its canonical name."""

    @property
    def variant(self) -> str:
        """The network that is built; empty where there is one only."""

    @property
    def takes(self) -> Any:
        """What its network takes and gives, for the inputs to fit."""

    def proxy(self, name: str) -> Proxy:
        """Return the proxy of that name for such subjects; BadArgument where there is none."""

    def probe(self, conditions: Conditions, seed: int) -> SharedPasses:
        """Return what proxies are computed on: the network of this seed, on its inputs.

        Raises
        ------
        Unscorable
            Where the network cannot be built: its scores say why. Other errors end the run.
        """


def part_seed(seed: int, space: str, *parts: str) -> int:
    """Return the seed of the last part's weights: of its network, of this and the parts before.

    This is the one rule for weights. A space names the parts of its networks, by default the
    canonical architecture as a whole; never the task or the head. Networks whose first parts are
    the same have the same weights in these.
    """
    return derived_seed(seed, space, "/".join(parts))
