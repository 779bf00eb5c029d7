"""An architecture of a search space, as a subject of scoring."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from naslib_swap import proxies, spaces
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring.subject import part_seed
from naslib_swap.spaces.networks import on_meta

if TYPE_CHECKING:
    from naslib_swap.proxies import Proxy
    from naslib_swap.scoring.conditions import Conditions
    from naslib_swap.spaces import Arch, SearchSpace, Task


@dataclass(frozen=True)
class Architecture:
    """An architecture of a search space, built for a task.

    Attributes
    ----------
    space, task
        Names of both.
    text
        The architecture in any notation that the space knows.
    chosen
        The variant of its network; None takes the task's own.
    """

    space: str
    task: str
    text: str
    chosen: str | None = None

    @cached_property
    def name(self) -> str:
        """Its canonical string: one for all strings that stand for the same network."""
        return self._space.encode(self._arch)

    @property
    def takes(self) -> Task:
        """What its network takes and gives."""
        return self._space.task(self.task)

    @property
    def variant(self) -> str:
        """The network that is built."""
        return self.chosen or self.takes.variant or self._space.variants[0]

    @property
    def encoder(self) -> str:
        """What SWAP looks at in its network; see `SearchSpace.encoders`. Empty: all of it."""
        return self._space.encoders.get(self.variant, "")

    def proxy(self, name: str) -> Proxy:
        """Return the proxy of that name."""
        return proxies.get(name)

    def depth(self) -> float | None:
        """Return the weighted layers on the longest path; None where the space cannot tell."""
        return self._space.depth(self._arch)

    def parameters(self) -> int:
        """Return the number of parameters."""
        return self._space.parameters(self._arch, **self._scale())

    def multiply_accumulates(self, input_shape: tuple[int, ...]) -> int | None:
        """Return those of one image of this shape; None where the network must run for it."""
        return self._space.multiply_accumulates(
            self._arch, input_shape, variant=self.variant, num_classes=self.takes.num_classes
        )

    def outline(self) -> nn.Module:
        """Return its network on the meta device: modules and shapes, no weights."""
        with on_meta():
            return self._space.build(self._arch, **self._scale())

    def build(self, seed: int) -> nn.Module:
        """Return its network on the CPU, with the weights of a seed."""
        # The CPU's generator alone is seeded: torch.manual_seed would seed those of all GPUs too,
        # and to restore these every worker would have to open every GPU.
        with torch.random.fork_rng(devices=[]), _on_the_cpu():
            torch.default_generator.manual_seed(self.weights_seed(seed))
            return self._space.build(self._arch, **self._scale())

    def _built(self, seed: int, device: str) -> nn.Module:
        net = self.build(seed)
        return net if device == "cpu" else net.to(device)  # which walks over all modules

    def weights_seed(self, seed: int) -> int:
        """Return the seed of its weights under a seed, by the one rule (`part_seed`)."""
        return part_seed(seed, self.space, *self._space.parts(self._arch))

    def probe(self, conditions: Conditions, seed: int) -> Probe:
        """Return its network on its minibatch; the network is built when it is first needed."""
        return Probe(
            lambda: self._built(seed, conditions.device),
            conditions.inputs.batch(self.takes, seed),
            seed=self.weights_seed(seed),
            num_classes=self.takes.num_classes,
            settings=conditions.settings,
            known=self,
            device=conditions.device,
        )

    @cached_property
    def _space(self) -> SearchSpace:
        return spaces.get(self.space)

    @cached_property
    def _arch(self) -> Arch:
        return self._space.canonical(self._space.parse(self.text))

    def _scale(self) -> dict[str, Any]:
        return {
            "variant": self.variant,
            "num_classes": self.takes.num_classes,
            "in_channels": self.takes.in_channels,
        }

    def __getstate__(self) -> dict[str, object]:
        # Derived values are not sent to workers: a job stays small.
        return {n: self.__dict__[n] for n in ("space", "task", "text", "chosen")}


def _on_the_cpu() -> AbstractContextManager[Any]:
    """Where new tensors are on the CPU: a context of torch, which slows its calls, if needed."""
    return nullcontext() if torch.empty(0).device.type == "cpu" else torch.device("cpu")
