"""Say why NASLib's correlations are nan.

`compute_scores` catches every exception and reports nan for all metrics. Nan stays nan for scores
that have no correlation (all equal, too few); an exception that NASLib swallowed is an error.
"""

from __future__ import annotations

import functools
import logging
from types import ModuleType
from typing import Any

from naslib_swap.plugin import failure

logger = logging.getLogger("naslib.swap")


def patch(module: ModuleType) -> None:
    """Wrap `naslib.utils.zerocost.compute_scores`."""
    original = module.compute_scores  # type: ignore[attr-defined]

    @functools.wraps(original)
    def compute_scores(ytest: Any, test_pred: Any) -> Any:
        metrics = original(ytest, test_pred)
        _explain(metrics, ytest, test_pred)
        return metrics

    module.compute_scores = compute_scores  # type: ignore[attr-defined]


def _explain(metrics: Any, ytest: Any, test_pred: Any) -> None:
    import numpy as np

    if not np.isnan(metrics.get("kendalltau", 0.0)):
        return
    true, predicted = np.asarray(ytest, dtype=float), np.asarray(test_pred, dtype=float)
    if not (np.isfinite(true).all() and np.isfinite(predicted).all()):
        why = "a score or an accuracy is not finite"
    elif len(true) < 2:
        why = f"{len(true)} architectures are too few"
    elif (true == true[0]).all() or (predicted == predicted[0]).all():
        why = f"all {len(true)} scores, or all accuracies, are equal"
    elif np.isnan(metrics.get("mae", 0.0)):
        failure.fail("NASLib's compute_scores failed and reported nan for every correlation")
    else:
        return
    logger.error("the correlations are nan: %s", why)
