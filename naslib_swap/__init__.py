"""SWAP-Score: zero-cost ranking of neural networks by sample-wise activation patterns.

Names are resolved on first use, so that ``import naslib_swap`` stays free of torch.
"""

# No import at run time, not even of typing or __future__: the start-up hook imports this package
# with every interpreter.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naslib_swap.errors import SwapError
    from naslib_swap.evaluation.compare import compare
    from naslib_swap.evaluation.plan import Plan, PrecomputePlan
    from naslib_swap.evaluation.precompute import precompute
    from naslib_swap.models.compare import compare_models
    from naslib_swap.models.comparison import ModelComparison
    from naslib_swap.optimizers.native import search
    from naslib_swap.optimizers.plan import SearchPlan
    from naslib_swap.score import (
        RegularisedSwapScore,
        SwapScore,
        regularised_swap_score,
        swap_score,
    )
    from naslib_swap.scoring.architecture import Architecture
    from naslib_swap.scoring.execution import Execution

__version__ = "0.2.0"

_HOMES = {
    "Architecture": "naslib_swap.scoring.architecture",
    "Execution": "naslib_swap.scoring.execution",
    "ModelComparison": "naslib_swap.models.comparison",
    "Plan": "naslib_swap.evaluation.plan",
    "PrecomputePlan": "naslib_swap.evaluation.plan",
    "RegularisedSwapScore": "naslib_swap.score",
    "SearchPlan": "naslib_swap.optimizers.plan",
    "SwapError": "naslib_swap.errors",
    "SwapScore": "naslib_swap.score",
    "compare": "naslib_swap.evaluation.compare",
    "compare_models": "naslib_swap.models.compare",
    "precompute": "naslib_swap.evaluation.precompute",
    "regularised_swap_score": "naslib_swap.score",
    "search": "naslib_swap.optimizers.native",
    "swap_score": "naslib_swap.score",
}

__all__ = [
    "Architecture",
    "Execution",
    "ModelComparison",
    "Plan",
    "PrecomputePlan",
    "RegularisedSwapScore",
    "SearchPlan",
    "SwapError",
    "SwapScore",
    "compare",
    "compare_models",
    "precompute",
    "regularised_swap_score",
    "search",
    "swap_score",
]


def __getattr__(name: str) -> "Any":
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'naslib_swap' has no attribute {name!r}")
