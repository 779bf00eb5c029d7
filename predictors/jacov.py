"""Jacov: how similarly the network responds to different images."""

from __future__ import annotations

import numpy as np

from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy

EPSILON = 1e-5


def compute(probe: Probe) -> float:
    """Return -sum_i (log(l_i + k) + 1 / (l_i + k)), k = 1e-5.

    The l_i are the eigenvalues of the correlation matrix of the Jacobian's rows, one per image.
    """
    correlations = np.corrcoef(probe.jacobian().cpu().numpy())
    eigenvalues = np.linalg.eigvalsh(np.atleast_2d(correlations))
    return float(-np.sum(np.log(eigenvalues + EPSILON) + 1 / (eigenvalues + EPSILON)))


PROXY = Proxy(
    name="jacov",
    title="Jacov",
    compute=compute,
    needs=frozenset({"data", "gradients"}),
    reference="Mellor et al. 2020, arXiv 2006.04647v1",
    scale="negative Kullback-Leibler divergence",
    passes=frozenset({"forward", "jacobian"}),
)
