"""What every search space offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Protocol

from naslib_swap.errors import BadArgument

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

Arch = tuple[Any, ...]
"""An architecture: a hashable, nested tuple of Python ints or strings."""

MOST_SIDE = 2**31
"""A height or width that no image has."""


@dataclass(frozen=True)
class Task:
    """What the networks of one task take and give.

    Attributes
    ----------
    input_shape
        Shape of one sample: (C, H, W), or (9, C, H, W) for jigsaw, nine tiles of an image.
    num_classes
        Outputs of the network: classes, regression values, or channels of the output image.
    variant
        The variant of the space's networks to build; None for its default.
    target
        What a sample's target is: "class" (an int), "values" (num_classes floats), "class map" (an
        int at each pixel) or "image" (num_classes channels).
    resolution
        Height and width at which networks are scored unless told otherwise; 0 for those of
        `input_shape`.
    accuracies
        The source of accuracies that is taken unless told otherwise; empty where none is known.
    """

    input_shape: tuple[int, ...]
    num_classes: int
    variant: str | None = None
    target: str = "class"
    resolution: int = 0
    accuracies: str = ""

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return self.input_shape[-3]

    def shape_at(self, resolution: int) -> tuple[int, ...]:
        """Return the shape of one sample with this height and width; 0 takes the task's own."""
        side = resolution or self.resolution
        return (*self.input_shape[:-2], side, side) if side else self.input_shape


@dataclass(frozen=True)
class CellGraph:
    """A cell as a picture needs it: node names in order, and (from, to, label) edges."""

    title: str
    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class SearchDefaults:
    """What a search does on a space unless told otherwise; docs/search.md has the measurements.

    Attributes
    ----------
    variant
        The network that is scored; None for the task's own.
    trained
        Name -> (variant, classes) of the networks that would be trained afterwards. Limits on size
        mean the one named like the task, or else the first. None where it is the scored one.
    repeats
        Re-initialisations for a SWAP-Score.
    rule
        How mu and sigma are chosen: "adaptive", or a rule of `naslib_swap.regularisation`.
    """

    variant: str | None = None
    trained: Mapping[str, tuple[str | None, int]] | None = None
    repeats: int = 0
    rule: str = "largest"


class Moves(Protocol):
    """What evolution needs of a search space."""

    @property
    def name(self) -> str:
        """The space's name."""

    def sample(self, rng: np.random.Generator) -> Any:
        """Draw a random architecture."""

    def mutate(self, arch: Any, rng: np.random.Generator) -> Any:
        """Return a neighbour of `arch`, never `arch` itself."""

    def crossover(self, a: Any, b: Any, rng: np.random.Generator) -> Any:
        """Return a mixture of two architectures."""

    def canonical(self, arch: Any) -> Any:
        """Return the one architecture that stands for all with the same network."""

    def encode(self, arch: Any) -> str:
        """Write an architecture in the space's own notation."""

    def parse(self, text: str) -> Any:
        """Read an architecture."""


class SearchSpace(ABC):
    """A search space: its notations, its random moves, its networks and its tasks.

    A subclass sets `name`, `tasks` and `example`, and writes `parse`, `encode`, `sample`, `mutate`
    and `build`; all else has a default. Every random choice comes from the generator that the
    caller gives; `build` draws the weights from torch's global generator.

    Attributes
    ----------
    name
        The name under which `spaces.get` finds the space.
    tasks
        The tasks by name; the first is the default.
    example
        One architecture in the space's own notation, for messages and documentation.
    variants
        Names of the networks that one architecture stands for; the first is the default.
    samples
        S, the size of a minibatch unless told otherwise.
    suite_zero
        The catalogue's entry of NAS-Bench-Suite-Zero's table of the space; empty where none is.
    flat_tables
        Whether NASLib's table of the space nests one level deeper and holds plain numbers.
    search
        What a search does unless told otherwise.
    subsets
        Named parts of the space, and whether an architecture belongs to one.
    encoders
        Variant -> a name for all of its network that has activations: variants of one name differ
        in heads without any, whatever the number of classes. Tasks of one encoder whose images are
        alike have equal SWAP-Scores, computed once. A variant that is not there shares nothing.
    gradient_interval
        Where in depth the gradients of untrained networks vary most, two fractions in tenths: the
        layers that L-SWAG looks at. benchmarks/gradient_interval.py finds it without labels or
        accuracies; the whole network unless told otherwise.
    count
        How many architectures there are, where a table may hold them all; None where none can.
    sides
        Heights and widths of images, in pixels, that its networks can be given.
    """

    name: str
    tasks: Mapping[str, Task]
    example: str
    variants: tuple[str, ...] = ("full",)
    samples: int = 16
    suite_zero: str = ""
    flat_tables: bool = False
    search: SearchDefaults = SearchDefaults()
    subsets: Mapping[str, Callable[[Arch], bool]] = {}
    encoders: Mapping[str, str] = {}
    gradient_interval: tuple[float, float] = (0.0, 1.0)
    count: int | None = None
    sides: range = range(1, MOST_SIDE)

    @abstractmethod
    def parse(self, text: str) -> Arch:
        """Read an architecture in any known notation; BadArgument on anything else."""

    @abstractmethod
    def encode(self, arch: Arch) -> str:
        """Write an architecture in the space's own notation, the one that tables are keyed by."""

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw a random architecture."""

    @abstractmethod
    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Make one random change; the result always differs from `arch`."""

    @abstractmethod
    def build(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> nn.Module:
        """Build the network; it maps images [S, in_channels, H, W] to class scores."""

    def crossover(self, a: Arch, b: Arch, rng: np.random.Generator) -> Arch:
        """Mix two parents; every gene of the child comes from one of them. Here: one of them."""
        return (a, b)[int(rng.integers(2))]

    def canonical(self, arch: Arch) -> Arch:
        """Return the one architecture that stands for all with the same network.

        Here: itself. It is this one that is built, so that equal networks have equal scores.
        """
        return arch

    def parts(self, arch: Arch) -> tuple[str, ...]:
        """Name the parts of an architecture's network, first to last: they seed its weights.

        Never the task or the head. Here: the canonical architecture as a whole.
        """
        return (self.encode(self.canonical(arch)),)

    def depth(self, arch: Arch) -> int | None:
        """Count the weighted layers (convolutions and linear ones) on the longest path.

        None where it cannot be told without running the network, as here.
        """
        return None

    def multiply_accumulates(
        self,
        arch: Arch,
        input_shape: tuple[int, ...],
        *,
        variant: str | None = None,
        num_classes: int = 10,
    ) -> int | None:
        """Count those of one image by a formula, as the proxy ``flops`` counts them.

        None where the network must run to be counted, as here.
        """
        return None

    def parameters(
        self, arch: Arch, *, variant: str | None = None, num_classes: int = 10, in_channels: int = 3
    ) -> int:
        """Count the parameters of the network that `build` gives, without building its weights.

        So `build` works on the meta device.
        """
        from naslib_swap.score import count_parameters
        from naslib_swap.spaces.networks import on_meta

        with on_meta():
            return count_parameters(
                self.build(arch, variant=variant, num_classes=num_classes, in_channels=in_channels)
            )

    def task(self, name: str) -> Task:
        """Return the task of that name.

        Raises
        ------
        BadArgument
            If there is none.
        """
        if name not in self.tasks:
            raise BadArgument(
                f"there is no task {name!r} of search space {self.name!r}: expected one of "
                f"{', '.join(self.tasks)}."
            )
        return self.tasks[name]

    def alike(self) -> tuple[tuple[str, ...], ...]:
        """Group the tasks that share their SWAP-Scores: of one encoder, and alike in their images.

        Every task is in one group; the scores are those of the tasks' own variants.
        """
        groups: dict[Any, list[str]] = {}
        for name, task in self.tasks.items():
            encoder = self.encoders.get(task.variant or self.variants[0])
            alone = name if encoder is None else ""
            images = (task.input_shape[:-2], task.shape_at(0))
            groups.setdefault((encoder, alone, images), []).append(name)
        return tuple(map(tuple, groups.values()))

    def subset(self, name: str) -> Callable[[Arch], bool]:
        """Return what tells whether an architecture belongs to a named part; ``all`` has all.

        Raises
        ------
        BadArgument
            If there is no such part.
        """
        if name == "all":
            return lambda arch: True
        if name not in self.subsets:
            raise BadArgument(
                f"there is no subset {name!r} of search space {self.name!r}: expected one of "
                f"{', '.join(['all', *self.subsets])}."
            )
        return self.subsets[name]

    def moves(self, variant: str | None) -> Moves:
        """Return the space as a search walks it that scores this variant."""
        return self

    def cells(self, arch: Arch) -> tuple[CellGraph, ...]:
        """Return the cells of an architecture, for pictures; none where it has no cells."""
        return ()

    def described(self, arch: Arch) -> dict[str, Any]:
        """Return an architecture as JSON that other programs can read."""
        return {"architecture": self.encode(arch)}

    def exported(self, arch: Arch) -> dict[str, str]:
        """Return files in which other programs read an architecture: name -> text. Here: none."""
        return {}

    def naslib_key(self, arch: Arch) -> str:
        """Write an architecture as the keys of NASLib's tables are written."""
        return self.encode(arch)
