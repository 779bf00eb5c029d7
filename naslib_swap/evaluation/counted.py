"""Rank correlations of many resamples at once, each given by how often it holds every element.

Nothing is sorted twice: all resamples share the order of the elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Vector = np.ndarray[Any, Any]


def correlations(x: Vector, y: Vector, counts: Vector) -> tuple[Vector, Vector]:
    """Return Spearman's rho and Kendall's tau-b of every resample.

    Parameters
    ----------
    x, y
        Values of n elements.
    counts
        How often each is in each resample, [n, resamples]: whole numbers whose sums are below
        2^23, which float32 holds exactly with their halves.

    Returns
    -------
    tuple of numpy.ndarray
        Both, [resamples]; NaN where x or y is constant in a resample.
    """
    (_, gx), (_, gy) = (np.unique(v, return_inverse=True) for v in (x, y))
    rx, ry = _midranks(gx, counts), _midranks(gy, counts)
    rho = _sums(counts, rx, ry) / np.sqrt(_sums(counts, rx, rx) * _sums(counts, ry, ry))
    return rho, _tau(gx, gy, counts)


def _midranks(group: Vector, counts: Vector) -> Vector:
    """Return the ranks of the elements in each resample, less their mean; equals share theirs."""
    size = _sizes(group, counts)
    end = np.cumsum(size, axis=0)
    ranks: Vector = (end - size / 2 - end[-1] / 2)[group]
    return ranks


def _tau(gx: Vector, gy: Vector, counts: Vector) -> Vector:
    """Return (P - Q) / sqrt((pairs untied in x) (pairs untied in y)), P and Q the pairs that agree.

    With all pairs N, those tied in x, y and both X, Y and B: P - Q = N - X - Y + B - 2 Q.
    """
    _, both = np.unique(np.stack([gx, gy]), axis=1, return_inverse=True)
    total = counts.sum(axis=0, dtype=np.float64)
    pairs = total * (total - 1) / 2
    in_x, in_y, in_both = (
        (np.square(_sizes(g, counts), dtype=np.float64).sum(axis=0) - total) / 2
        for g in (gx, gy, both.ravel())
    )
    order = np.lexsort((gy, gx))
    disagreeing = _inversions(gy[order], counts[order])
    surplus = pairs - in_x - in_y + in_both - 2 * disagreeing
    tau: Vector = surplus / np.sqrt((pairs - in_x) * (pairs - in_y))
    return tau


def _inversions(values: Vector, counts: Vector) -> Vector:
    """Count the pairs of which the larger value, a whole number, comes first.

    Two values differ first in one of their bits: with those that agree in all higher bits kept
    together, in their order, every pair is met at one bit, the 1 before the 0.
    """
    found = np.zeros(counts.shape[1])
    for bit in reversed(range(int(values.max()).bit_length())):
        ones = counts * ((values >> bit) & 1).astype(counts.dtype)[:, None]
        zeros = counts - ones
        ones_before = np.cumsum(ones, axis=0)
        found += _sums(zeros, ones_before)
        starts = _starts(values >> (bit + 1))[1:]
        if len(starts):  # less the ones of the groups before
            found -= _sums(np.add.reduceat(zeros, starts, axis=0), ones_before[starts - 1])
        order = np.argsort(values >> bit, kind="stable")
        values, counts = values[order], counts[order]
    return found


def _sizes(group: Vector, counts: Vector) -> Vector:
    """Sum the counts of each group 0, 1, ..., [groups, resamples]."""
    order = np.argsort(group, kind="stable")
    sizes: Vector = np.add.reduceat(counts[order], _starts(group[order]), axis=0)
    return sizes


def _starts(ordered: Vector) -> Vector:
    """Return where runs of equal values begin."""
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))


def _sums(*factors: Vector) -> Vector:
    """Sum the products of factors over the elements, in float64."""
    sums: Vector = np.einsum(",".join(["ij"] * len(factors)) + "->j", *factors, dtype=np.float64)
    return sums
