"""The options of a comparison of models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from naslib_swap.errors import BadArgument
from naslib_swap.options import names_or_all, option
from naslib_swap.quoting import shown
from naslib_swap.regularisation import RULES, log_factor
from naslib_swap.scoring.plan import MOST_REPEATS

NATURAL = "natural"
EMBEDDED = "embedded"
SIZES = (8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Samples that ``auto`` may take: beyond the last, nearly every value has a pattern of its own."""


def samples_or_auto(value: Any) -> int | None:
    """Read a whole number, or auto (as None)."""
    if value is None or value == "auto":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    raise ValueError("a whole number, or auto")


def shape_of(text: str) -> tuple[int, ...]:
    """Read the shape of one image.

    Raises
    ------
    BadArgument
        If it is no list of numbers.

    Examples
    --------
    >>> shape_of("3,32,32")
    (3, 32, 32)
    """
    try:
        return tuple(int(n) for n in text.split(","))
    except ValueError:
        raise BadArgument(
            f"got --input-shape {shown(text)}, expected numbers such as 3,32,32."
        ) from None


@dataclass(frozen=True)
class ModelsPlan:
    """How models are compared: the options of ``score`` and of ``compare_models``."""

    input_shape: Optional[str] = option(
        None, "Shape of one image, such as 3,32,32; else what the model's configuration says."
    )
    input_file: Optional[str] = option(
        None,
        "A minibatch: .npy; .npz, whose names are the forward pass's arguments; or .pt with a "
        "tensor, tuple or dict. Bytes [S, H, W, 3] are images.",
    )
    samples: Optional[int] = option(
        32,
        "S, how many samples; of a file, the first ones. auto: the fewest at which no model is "
        "near its bound.",
        read=samples_or_auto,
        shown="32",
        least=2,
    )
    inputs: str = option(
        NATURAL,
        "natural (crops), noise, cifar10, ..., a folder of pictures, a file of numbers or texts, "
        "or hf:DATASET.",
    )
    text: Optional[str] = option(
        None,
        "For models of tokens: .txt, .jsonl, .parquet, hf:DATASET, or embedded, the default.",
    )
    length: int = option(128, "Tokens of a text, at most.", least=2)
    proxies: tuple[str, ...] = option(
        ("swap",), "Further columns: names separated by commas, or all.", read=names_or_all,
        shown="swap",
    )  # fmt: skip
    classes: int = option(10, "For proxies that look at labels: these are drawn.", least=2)
    draws: int = option(
        1, "Draws of weights and crops, from --seed on: their spread tells ranks from noise.",
        least=1, most=1000,
    )  # fmt: skip
    repeats: int = option(0, "Re-initialisations; 0: weights as built.", least=0, most=MOST_REPEATS)
    seed: int = option(0, "Of weights, crops and whatever else is random.", least=0)
    mode: str = option("train", "train (batch statistics) or eval.")
    dropout: bool = option(False, "Leave dropout on, drawn from the seed.")
    no_check_rows: bool = option(
        False, "Take it that activations have one row per sample, without a check."
    )
    pretrained: bool = option(
        False, "Trained weights of timm:, torchvision: and hf: models, if they are on this machine."
    )
    mu: Optional[float] = option(None, "Regularise: thousands of parameters.")
    sigma: Optional[float] = option(None, "Regularise: thousands of parameters.")
    rule: Optional[str] = option(
        None, f"Regularise by the sizes of these models: {', '.join(RULES)}."
    )
    memory: Optional[float] = option(
        None, "Gigabytes that may be used; what needs more is refused. Default: what is free."
    )
    device: Optional[str] = option(None, "cpu or cuda.")

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of one image, where it is given."""
        return None if self.input_shape is None else shape_of(self.input_shape)

    @property
    def regularised(self) -> bool:
        """Whether scores are weighed by size."""
        return self.mu is not None or self.rule is not None

    def check(self) -> None:
        """Complain of options that do not go together.

        Raises
        ------
        BadArgument
            Says what was given and what was expected.
        """
        if (self.mu is None) != (self.sigma is None):
            raise BadArgument(f"got mu={self.mu} and sigma={self.sigma}, expected both or neither.")
        if self.rule is not None and self.mu is not None:
            raise BadArgument("got a rule, and mu and sigma, expected one or the other.")
        if self.rule not in (None, *RULES):
            raise BadArgument(f"got rule {shown(self.rule)}, expected one of {', '.join(RULES)}.")
        if self.mu is not None and self.sigma is not None:
            log_factor(0.0, self.mu, self.sigma)  # complain now, not after the scores
        if self.mode not in ("train", "eval"):
            raise BadArgument(f"got mode={self.mode!r}, expected 'train' or 'eval'.")
        if self.memory is not None and self.memory <= 0:
            raise BadArgument(f"got memory {self.memory:g}, expected gigabytes above 0.")
        _ = self.shape
