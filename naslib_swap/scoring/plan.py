"""The options that all doors share: what is scored, and under which conditions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from naslib_swap import spaces
from naslib_swap.errors import BadArgument
from naslib_swap.options import check_plan, option
from naslib_swap.regularisation import DEFAULT_RULE

if TYPE_CHECKING:
    from naslib_swap.scoring.conditions import Conditions
    from naslib_swap.scoring.images import Images

MOST_SEEDS = 10_000
MOST_REPEATS = 1_000_000


@dataclass(frozen=True)
class ScoringPlan:
    """What single scores depend on: the options that library, YAML files and commands share."""

    space: str = option("nasbench201", "Search space.")
    task: str = option("cifar10", "Task of the space.")
    variant: Optional[str] = option(None, "Which network of the space, e.g. tiny for darts.")
    inputs: str = option("natural", "Images: natural, cifar10, ..., noise, a path.")
    inputs_path: Optional[str] = option(None, "Where the images are.")
    order: str = option("first", "Images: first or random.")
    samples: int = option(0, "Images in the minibatch.", shown="as many as suit the space", least=0)
    resolution: int = option(0, "Height and width in pixels.", shown="the task's", least=0)
    repeats: Optional[int] = option(
        None,
        "Re-initialisations for SWAP; 0 scores the weights as built.",
        shown="0",
        least=0,
        most=MOST_REPEATS,
    )
    batch_repeats: int = option(
        1, "Re-initialisations computed at once, for tiny networks.", least=1, most=MOST_REPEATS
    )
    mu: Optional[float] = option(None, "For reg-SWAP: size aimed at, thousands of parameters.")
    sigma: Optional[float] = option(None, "For reg-SWAP: tolerance, thousands of parameters.")
    rule: str = option(DEFAULT_RULE, "How mu and sigma come from sizes.")
    device: str = option("cpu", "cpu or cuda.")

    def check(self, *, elsewhere: bool = False) -> None:
        """Complain of what can be known to be wrong before anything is loaded.

        Parameters
        ----------
        elsewhere
            Other machines score, so that this one need not have the device.

        Raises
        ------
        BadArgument
            An unknown space, task, variant, order or source of images; a single image; a size of
            images that networks of the space cannot take; a device that cannot be used here. All of
            these, whether a proxy looks at images or not.
        """
        from naslib_swap import inputs
        from naslib_swap.devices import usable
        from naslib_swap.inputs.load import ORDERS

        check_plan(self)
        space = spaces.get(self.space)
        task = space.task(self.task)
        if self.variant is not None and self.variant not in space.variants:
            raise BadArgument(
                f"got variant {self.variant!r}, expected one of {', '.join(space.variants)} for "
                f"{self.space}."
            )
        if self.samples == 1:
            raise BadArgument(
                "got samples 1, expected at least 2: one image shows one pattern, whatever the "
                "network."
            )
        if self.resolution and self.resolution not in space.sides:
            raise BadArgument(
                f"got resolution {self.resolution}, expected {space.sides.start} or more pixels in "
                f"steps of {space.sides.step} for {self.space}."
            )
        if self.order not in ORDERS:
            raise BadArgument(f"got order {self.order!r}, expected {' or '.join(ORDERS)}.")
        inputs.check(
            self.inputs,
            samples=self.samples or space.samples,
            shape=self.images().shape(task),
            path=self.inputs_path,
            order=self.order,
        )
        usable(self.device, here=not elsewhere)

    def images(self) -> Images:
        """Return where the minibatch comes from."""
        from naslib_swap.scoring.images import Images

        return Images(self.inputs, self.samples, self.inputs_path, self.order, self.resolution)

    def conditions(self, proxies: Iterable[str]) -> Conditions:
        """Return the conditions that scores by these proxies are made under."""
        from naslib_swap.scoring.conditions import conditions_for

        return conditions_for(
            self.space,
            self.task,
            variant=self.variant,
            names=proxies,
            images=self.images(),
            mu=self.mu,
            sigma=self.sigma,
            rule=self.rule or DEFAULT_RULE,
            device=self.device,
            repeats=self.repeats or 0,
            batch_repeats=self.batch_repeats,
        )
