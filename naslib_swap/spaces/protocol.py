"""What every search space offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

Arch = tuple[Any, ...]
"""An architecture: a hashable, nested tuple of Python ints or strings."""


class SearchSpace(Protocol):
    """A search space: its notations, its random moves and its networks.

    Every random choice comes from the generator that the caller gives; `build` draws the weights
    from torch's global generator.
    """

    @property
    def name(self) -> str:
        """The name under which `spaces.get` finds the space."""

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the networks that one architecture stands for; the first is the default."""

    @property
    def example(self) -> str:
        """One architecture in the canonical notation, for messages and documentation."""

    def parse(self, text: str) -> Arch:
        """Read an architecture in any known notation; SwapError on anything else."""

    def encode(self, arch: Arch) -> str:
        """Write an architecture in the canonical notation, the one that tables are keyed by."""

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw a random architecture."""

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Make one random change; the result always differs from `arch`."""

    def crossover(self, a: Arch, b: Arch, rng: np.random.Generator) -> Arch:
        """Mix two parents; every gene of the child comes from one of them."""

    def depth(self, arch: Arch) -> int:
        """Weighted layers (convolutions and linear layers) on the longest path."""

    def build(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> nn.Module:
        """Build the network; it maps images [S, in_channels, H, W] to class scores."""

    def parameters(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> int:
        """Count the parameters of the network that `build` gives, without building its weights."""
