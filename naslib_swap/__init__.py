"""SWAP-Score: zero-cost ranking of neural networks by sample-wise activation patterns.

Names are resolved on first use, so that ``import naslib_swap`` stays free of torch.
"""

# No import at run time, not even of typing or __future__: the start-up hook imports this package
# with every interpreter.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naslib_swap.errors import SwapError
    from naslib_swap.score import (
        RegularisedSwapScore,
        SwapScore,
        regularised_swap_score,
        swap_score,
    )

__version__ = "0.1.0"

_HOMES = {
    "SwapError": "naslib_swap.errors",
    "SwapScore": "naslib_swap.score",
    "RegularisedSwapScore": "naslib_swap.score",
    "swap_score": "naslib_swap.score",
    "regularised_swap_score": "naslib_swap.score",
}

__all__ = [
    "RegularisedSwapScore",
    "SwapError",
    "SwapScore",
    "regularised_swap_score",
    "swap_score",
]


def __getattr__(name: str) -> "Any":
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'naslib_swap' has no attribute {name!r}")
