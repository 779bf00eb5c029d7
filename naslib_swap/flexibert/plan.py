"""What a user asks of FlexiBERT encoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from naslib_swap.errors import BadArgument
from naslib_swap.flexibert.choices import COTANGENTS, FIDELITIES, MAX_LENGTH, MODES, OPERATIONS
from naslib_swap.options import check_plan, count_or_all, names_or_all, option
from naslib_swap.scoring.plan import MOST_SEEDS


@dataclass(frozen=True)
class FlexibertPlan:
    """Which encoders to score, how, and on which text: the options of ``flexibert``.

    Raises
    ------
    BadArgument
        A value that no network, no proxy or no text can have.
    """

    archs: Optional[int] = option(
        None, "Encoders of the benchmark to draw, or all.", read=count_or_all, shown="all"
    )
    proxies: tuple[str, ...] = option(
        (), "Names separated by commas, or all.", read=names_or_all, shown="all"
    )
    seeds: int = option(1, "How many seeds: 0, 1, ...", least=1, most=MOST_SEEDS)
    fidelity: str = option("paper", "paper (the published scores' networks) or trained.")
    operations: str = option("stated", "stated, or attention in every layer.")
    mode: str = option("train", "train (with dropout) or eval, for SWAP.")
    cotangent: str = option("random", "For gradients: random, or paper (ones: rounding noise).")
    observed: int = option(32, "Documents for the proxies that need a backward pass.", least=2)
    text: str = option("openwebtext", "openwebtext, or a .jsonl, .txt or .parquet file.")
    tokenizer: str = option("auto", "auto, hub, trained, or a WordPiece vocabulary file.")
    samples: int = option(128, "Documents in the batch.", least=2)
    length: int = option(128, "Tokens of each document.", least=2)
    benchmark: Optional[str] = option(None, "A copy of BERT_benchmark.json.")

    def __post_init__(self) -> None:
        for name, known in (
            ("fidelity", FIDELITIES),
            ("operations", OPERATIONS),
            ("mode", MODES),
            ("cotangent", COTANGENTS),
        ):
            if getattr(self, name) not in known:
                raise BadArgument(
                    f"got {name} {getattr(self, name)!r}, expected one of {', '.join(known)}."
                )
        check_plan(self)
        if self.length > MAX_LENGTH:
            raise BadArgument(
                f"got documents of {self.length} tokens, expected at most {MAX_LENGTH}: an encoder "
                "has no more positions. Give a smaller length."
            )
