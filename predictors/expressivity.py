"""Expressivity of AZ-NAS: how evenly features spread over their directions, summed over stages."""

from __future__ import annotations

import torch
from torch import Tensor

from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.predictors.passes.stages import READS, rows_of, stages
from naslib_swap.proxies import Proxy

_SMALL = 1e-8


def compute(probe: Probe) -> float:
    """Return the sum over stages of the entropy of a feature's principal components.

    Settings: those of `naslib_swap.predictors.passes.stages`.
    """
    return sum(entropies(probe))


def entropies(probe: Probe) -> list[float]:
    """Return the entropy of each stage's feature, computed once for all proxies that use it."""
    return probe.once("entropies", lambda: [entropy(f.detach()) for f in stages(probe)])


def entropy(feature: Tensor) -> float:
    """Return -sum p log(p + 1e-8), p the eigenvalues of the channels' covariance over their sum.

    Samples and positions are rows, centred. A constant feature has entropy 0.
    """
    rows = rows_of(feature)
    rows = rows - rows.mean(0)
    values = torch.linalg.eigvalsh(rows.T @ rows).clamp_min(0)
    total = values.sum()
    if not total > 0:
        return 0.0
    shares = values / total
    return float(-(shares * (shares + _SMALL).log()).sum())


PROXY = Proxy(
    name="expressivity",
    title="Expressivity",
    compute=compute,
    needs=frozenset(),
    reference="Lee and Ham 2024, AZ-NAS, arXiv 2403.19232, section 3.2",
    scale="nats, summed over stages",
    reads=READS,
    passes=frozenset({"stages"}),
)
