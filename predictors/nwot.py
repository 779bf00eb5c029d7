"""NWOT: how far apart activation patterns of different images are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return log |det K|, K_ij = number of ReLUs that agree on images i and j.

    With c_i in {0, 1}^V the pattern of image i over all V rectified values,
    K_ij = V - Hamming(c_i, c_j). A value counts as active where it is above 0. GELUs count as
    ReLUs, being above 0 where their input is: so Auto-Prox scores vision transformers.

    Raises
    ------
    Unscorable
        If neither ran, if one does not keep the batch as its first dimension, or if K is singular.
    """
    return log_determinant(probe.forward().active, len(probe.images))


def log_determinant(patterns: Sequence[Tensor], samples: int) -> float:
    """Return log |det K| of patterns, bool [samples, ...] for each call of a ReLU or GELU."""
    if not patterns:
        raise Unscorable("no ReLU or GELU ran; NWOT is defined on their patterns")
    kernel = torch.zeros(samples, samples, dtype=torch.float64, device=patterns[0].device)
    for active in patterns:
        if len(active) != samples:
            raise Unscorable(
                f"a ReLU or GELU gave {len(active)} rows for {samples} images; NWOT needs the "
                "batch as the first dimension of each"
            )
        kernel += agreement(active)
    score = float(torch.linalg.slogdet(kernel).logabsdet)
    if score == -math.inf:
        raise Unscorable("K is singular: at least two images have the same pattern everywhere")
    return score


def agreement(active: Tensor) -> Tensor:
    """Count the values on which rows agree: bool [S, ...] -> float [S, S]."""
    flat = active.flatten(1)
    # With signs s in {-1, 1} one product gives agreements less disagreements. Sums of ones are
    # exact in float32 up to 2^24 values.
    signs = flat.float().mul_(2).sub_(1)
    return (signs @ signs.T + flat.shape[1]) / 2


PROXY = Proxy(
    name="nwot",
    title="NWOT",
    compute=compute,
    needs=frozenset({"data"}),
    reference="Mellor et al. 2021, arXiv 2006.04647v3",
    scale="natural logarithm",
    passes=frozenset({"forward"}),
    size_weighable=True,  # the determinant of a matrix of integers is an integer
)
