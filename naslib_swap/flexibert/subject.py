"""A text encoder, as a subject of scoring."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from naslib_swap.errors import BadArgument
from naslib_swap.flexibert.choices import MAX_LENGTH
from naslib_swap.flexibert.chunked import Trail
from naslib_swap.flexibert.comparators import PROXIES
from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.encoder import attention_only, encode, parse
from naslib_swap.flexibert.probe import TextProbe
from naslib_swap.flexibert.weights import SPACE

if TYPE_CHECKING:
    from naslib_swap.proxies import Proxy
    from naslib_swap.scoring.conditions import Conditions

TRAIL = Trail()
"""Of this process: its jobs come in an order in which one often begins as the one before."""


@dataclass(frozen=True)
class TextEncoder:
    """An encoder of FlexiBERT's space; its GLUE scores are what proxies are compared with.

    Attributes
    ----------
    text
        The encoder in the notation of :func:`naslib_swap.flexibert.encoder.encode`.
    fidelity
        Which network (:class:`~naslib_swap.flexibert.configuration.FlexiBertConfig`).
    operations
        ``"stated"``, or ``"attention"`` for scaled dot product attention in every layer.
    """

    text: str
    fidelity: str = "paper"
    operations: str = "stated"

    space: ClassVar[str] = SPACE
    task: ClassVar[str] = "glue"
    takes: ClassVar[int] = MAX_LENGTH

    @cached_property
    def name(self) -> str:
        """The notation of the network that is built: one for all encoders that it stands for."""
        return encode(self.configuration().network())

    @property
    def variant(self) -> str:
        """The network that is built."""
        return f"{self.fidelity}, operations {self.operations}"

    def configuration(self) -> FlexiBertConfig:
        """Return what is built."""
        stated = parse(self.text)
        used = attention_only(stated) if self.operations == "attention" else stated
        return FlexiBertConfig.from_encoder(used, self.fidelity)

    def proxy(self, name: str) -> Proxy:
        """Return the proxy of that name; BadArgument where there is none."""
        if name not in PROXIES:
            raise BadArgument(f"got the proxy {name!r}, expected one of {', '.join(PROXIES)}.")
        return PROXIES[name]

    def probe(self, conditions: Conditions, seed: int) -> TextProbe:
        """Return the encoder on its documents; nothing is computed yet."""
        return TextProbe(
            self.configuration(),
            conditions.inputs.batch(self.takes, seed),
            settings=conditions.settings,
            seed=seed,
            trail=TRAIL,
        )
