"""FlexiBERT: text encoders, scored before they are pre-trained.

`compare_encoders` ranks the encoders of NAS-Bench-BERT by zero-cost proxies and compares the ranks
with their GLUE scores. What scores needs the extra ``naslib-swap[text]``; `FlexibertPlan` does not.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from naslib_swap.errors import SwapError
from naslib_swap.flexibert.plan import FlexibertPlan

if TYPE_CHECKING:
    from naslib_swap.flexibert.compare import compare_encoders, score_encoder
    from naslib_swap.flexibert.report import Comparison
    from naslib_swap.flexibert.subject import TextEncoder
    from naslib_swap.flexibert.texts import Texts

__all__ = [
    "Comparison",
    "FlexibertPlan",
    "TextEncoder",
    "Texts",
    "compare_encoders",
    "score_encoder",
]

_HOMES = {
    "Comparison": "report",
    "TextEncoder": "subject",
    "Texts": "texts",
    "compare_encoders": "compare",
    "score_encoder": "compare",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec("transformers") is None:
        raise SwapError("flexibert needs HuggingFace transformers: pip install naslib-swap[text].")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
