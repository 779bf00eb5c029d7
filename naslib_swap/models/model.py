"""The plain types of a comparison of models: what is scored, and what it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Takes:
    """What a forward pass takes.

    Attributes
    ----------
    kind
        ``"images"`` or ``"tokens"``, which we can give; ``"unknown"`` where nothing says it; or the
        name of what it takes otherwise, such as ``"sound"``.
    shape
        Of one image, [C, H, W]; of a text, [T]. None where nothing says it.
    vocabulary
        How many tokens it knows.
    reserved
        Tokens with a meaning of their own, such as padding.
    """

    kind: str = "unknown"
    shape: Optional[tuple[int, ...]] = None
    vocabulary: Optional[int] = None
    reserved: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Model:
    """A model by name.

    Attributes
    ----------
    name
        What the user calls it.
    build
        Seed -> module: its weights are drawn from the seed. It may raise a `SwapError`.
    takes
        What the built module takes.
    family
        A name that models of one kind share, of the built module.
    redrawn
        Whether another seed gives other weights.
    """

    name: str
    build: Callable[[int], nn.Module]
    takes: Callable[[nn.Module], Takes]
    family: Callable[[nn.Module], str]
    redrawn: bool = True


@dataclass(frozen=True)
class Asked:
    """What a user asks of models before they are built.

    Attributes
    ----------
    shape
        Of one image; None leaves it to the model.
    length
        Tokens of a text, at most.
    pretrained
        Whether to take trained weights, which have to be on this machine.
    note
        Called with what the user should know.
    """

    shape: Optional[tuple[int, ...]] = None
    length: int = 128
    pretrained: bool = False
    note: Callable[[str], None] = lambda text: None
