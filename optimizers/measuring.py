"""Measuring architectures of a native search space, alone or on several workers.

A measurement depends on the architecture, the minibatch and the seed alone: not on the order, the
number of workers or the threads of the machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import BrokenProcessPool

from naslib_swap import spaces
from naslib_swap.errors import SwapError
from naslib_swap.inputs import Minibatch
from naslib_swap.optimizers.evolution import Mapper, Measure
from naslib_swap.optimizers.fitness import Scored
from naslib_swap.predictors import registry
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring.network import score_network
from naslib_swap.seeding import one_thread, seeded


@dataclass(frozen=True)
class NetworkMeasure:
    """Build an architecture's network, score it, count its parameters.

    Attributes:
        space: name of a native search space.
        variant: which of the space's networks; None for its default.
        minibatch: what the network sees.
        proxy: a name of `naslib_swap.predictors.registry`; where lower is better, the score is
            the negative.
        repeats: re-initialisations for SWAP; 0 scores the weights as they are built.
        seed: weights are drawn from a seed derived from this one and the architecture.
        num_classes: outputs of the network.
        batch_repeats: re-initialisations computed at once.
    """

    space: str
    variant: str | None
    minibatch: Minibatch
    proxy: str = "swap"
    repeats: int = 0
    seed: int = 0
    num_classes: int = 10
    batch_repeats: int = 1

    def __call__(self, arch: Any) -> Scored:
        """Score and size of one architecture; SwapError, naming it, where it cannot be scored."""
        space = spaces.get(self.space)
        key = space.encode(arch)
        seed = architecture_seed(self.seed, key)
        channels = int(self.minibatch.images.shape[-3])
        scale: dict[str, Any] = {
            "variant": self.variant,
            "num_classes": self.num_classes,
            "in_channels": channels,
        }
        with one_thread(), seeded(seed):
            net = space.build(arch, **scale)
            size = space.parameters(arch, **scale) / 1000
            try:
                score = self._score(net, seed)
            except SwapError as error:
                raise SwapError(f"{self.proxy} cannot score {key}: {error}") from error
        return Scored(score, size)

    def _score(self, net: torch.nn.Module, seed: int) -> float:
        probe = Probe(
            net,
            self.minibatch,
            seed=seed,
            num_classes=self.num_classes,
            settings={"repeats": self.repeats, "batch_repeats": self.batch_repeats},
        )
        scored = score_network(probe, [self.proxy])[self.proxy]
        if scored.value is None:
            raise SwapError(str(scored.error))
        return scored.value if registry.get(self.proxy).higher_is_better else -scored.value


def architecture_seed(seed: int, key: str) -> int:
    """A seed in 0 .. 2^32 - 1 for one architecture of a search."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:4], "big")


@contextmanager
def workers(count: int) -> Iterator[Mapper]:
    """A mapper that measures on `count` processes; plain `map` where one is enough.

    Raises:
        SwapError: `count` is below 1.
    """
    if count < 1:
        raise SwapError(f"workers {count}: expected at least 1")
    if count == 1:
        yield map
        return
    with Parallel(n_jobs=count, batch_size=1) as pool:

        def mapper(measure: Measure, archs: Sequence[Any]) -> list[Scored]:
            try:
                return list(pool(delayed(measure)(arch) for arch in archs))
            except BrokenProcessPool as error:
                raise SwapError(
                    "a worker died, killed or for want of memory. What was scored before is saved "
                    "where the search has a folder: go on with --resume and fewer --workers"
                ) from error

        yield mapper
