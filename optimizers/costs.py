"""What a network costs to keep and to run: parameters, multiply-accumulates, milliseconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from naslib_swap import spaces
from naslib_swap.errors import BadArgument
from naslib_swap.optimizers.latency import PREFIX, Latencies

PARAMS, FLOPS = "params", "flops"


@dataclass(frozen=True)
class Network:
    """Which of the networks that an architecture stands for: usually that to be trained.

    Attributes
    ----------
    space, task
        Names of both; the task gives the images.
    variant, classes
        Of the network; None takes the task's own variant.
    """

    space: str
    task: str
    variant: str | None
    classes: int

    def built(self, arch: Any) -> Any:
        """Build it, with whatever weights torch draws."""
        return spaces.get(self.space).build(arch, **self._scale())

    def parameters(self, arch: Any) -> int:
        """Count its parameters."""
        return spaces.get(self.space).parameters(arch, **self._scale())

    @property
    def variant_built(self) -> str | None:
        """The variant, the task's own where none is chosen."""
        return self.variant or spaces.get(self.space).task(self.task).variant

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one image of the task, at the resolution at which it is trained."""
        return spaces.get(self.space).task(self.task).input_shape

    def multiply_accumulates(self, arch: Any) -> int:
        """Count those of one image, by the space's formula or on a network without weights."""
        found = spaces.get(self.space).multiply_accumulates(
            arch, self.input_shape, variant=self.variant_built, num_classes=self.classes
        )
        return self.counted(arch) if found is None else found

    def counted(self, arch: Any) -> int:
        """Count those of one image where torch calls its kernels; nothing is computed."""
        import torch

        from naslib_swap.predictors.passes.multiply_accumulates import MultiplyAccumulates
        from naslib_swap.spaces.networks import on_meta

        with on_meta(), torch.no_grad(), MultiplyAccumulates() as seen:
            # Two images: in train mode batch normalisation refuses one over a 1x1 map.
            self.built(arch)(torch.empty(2, *self.input_shape))
        return seen.count // 2

    def _scale(self) -> dict[str, Any]:
        task = spaces.get(self.space).task(self.task)
        return {
            "variant": self.variant_built,
            "num_classes": self.classes,
            "in_channels": task.in_channels,
        }


@dataclass(frozen=True)
class Cost:
    """A number that should be small.

    Attributes
    ----------
    name
        ``params``, ``flops`` or ``latency:DEVICE``.
    unit
        What it counts, as messages say it.
    of
        Gives it for an architecture; NaN where it is not known.
    draws
        How many random architectures are looked at before a limit counts as impossible.
    """

    name: str
    unit: str
    of: Callable[[Any], float]
    draws: int = 2000

    def shown(self, value: float) -> str:
        """Write a value as people read it."""
        return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def costs(network: Network, names: tuple[str, ...], latencies: Latencies) -> tuple[Cost, ...]:
    """Return the costs of these names; each is computed once for all notations of a network.

    Raises
    ------
    BadArgument
        A name that is no cost; a device without a table.
    """
    return tuple(_cost(network, name, latencies) for name in dict.fromkeys(names))


def _cost(network: Network, name: str, latencies: Latencies) -> Cost:
    if name == PARAMS:
        return Cost(name, "parameters", _once(network, network.parameters))
    if name == FLOPS:
        count = _once(network, network.multiply_accumulates)
        return Cost(name, "multiply-accumulates", count, 200)
    if name.startswith(PREFIX):
        device = name[len(PREFIX) :]
        latencies.check(device)
        draws = 50 if latencies.measures(device) else 2000
        return Cost(name, f"ms on {device}", lambda arch: latencies.of(device, arch), draws)
    raise BadArgument(
        f"got the cost {name!r}, expected {PARAMS}, {FLOPS} or {PREFIX}DEVICE, such as {PREFIX}cpu."
    )


def _once(network: Network, count: Callable[[Any], float]) -> Callable[[Any], float]:
    space = spaces.get(network.space)
    known: dict[str, float] = {}

    def of(arch: Any) -> float:
        # Counted on the canonical form: the others are built differently, if never otherwise.
        same = space.canonical(arch)
        key = space.encode(same)
        if key not in known:
            known[key] = count(same)
        return known[key]

    return of


def known(values: Mapping[str, float]) -> bool:
    """Whether all of these costs are numbers."""
    return not any(math.isnan(value) for value in values.values())
