"""Several objectives at once: NSGA-II's fronts and crowding, and hypervolume.

Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II". All objectives are
made smaller; negate what should be large.
"""

from __future__ import annotations

import numpy as np

Points = np.ndarray
"""float64 [points, objectives]."""


def fronts(points: Points) -> np.ndarray:
    """Return the number of each point's front: 0 where nothing dominates it.

    A point dominates another where it is nowhere larger and somewhere smaller. Points of front k
    are dominated by none but those of fronts before k.

    Examples
    --------
    >>> fronts(np.array([[1.0, 4.0], [2.0, 2.0], [3.0, 3.0], [2.0, 2.0]])).tolist()
    [0, 0, 1, 0]
    """
    count = len(points)
    no_larger = (points[:, None] <= points[None]).all(-1)
    dominates = no_larger & ~no_larger.T
    found = np.full(count, -1)
    front = 0
    while (left := found < 0).any():
        free = left & ~(dominates & left[:, None]).any(0)
        found[free] = front
        front += 1
    return found


def undominated(points: Points) -> list[int]:
    """Return the places of front 0, in order; of equal points the first alone.

    Linear in memory, for many points.

    Examples
    --------
    >>> undominated(np.array([[2.0, 2.0], [1.0, 4.0], [3.0, 3.0], [2.0, 2.0]]))
    [0, 1]
    """
    # In this order nothing is dominated by what comes after it.
    order = np.lexsort((np.arange(len(points)), *points.T[::-1]))
    kept: list[int] = []
    for place in order:
        if not kept or not (points[kept] <= points[place]).all(1).any():
            kept.append(int(place))
    return sorted(kept)


def crowding(points: Points) -> np.ndarray:
    """Return how far each point of one front lies from its neighbours; inf at the ends.

    The sum, over objectives, of the distance between the neighbours on either side, as a share of
    the whole range.

    Examples
    --------
    >>> crowding(np.array([[0.0, 4.0], [1.0, 2.0], [4.0, 0.0]])).tolist()
    [inf, 2.0, inf]
    """
    total = np.zeros(len(points))
    for values in points.T:
        order = np.argsort(values, kind="stable")
        ranged = values[order]
        width = ranged[-1] - ranged[0]
        total[order[[0, -1]]] = np.inf
        if width > 0:
            total[order[1:-1]] += (ranged[2:] - ranged[:-2]) / width
    return total


def standing(points: Points) -> np.ndarray:
    """Return one number for each point by which NSGA-II compares them; larger is better.

    Minus the front, and less than one more for less crowded points.
    """
    if not len(points):
        return np.zeros(0)
    number = fronts(points)
    value = -number.astype(float)
    for front in range(number.max() + 1):
        of = number == front
        apart = crowding(points[of])
        value[of] += 0.5 * np.where(np.isinf(apart), 1.0, apart / (1 + np.nan_to_num(apart)))
    return value


def hypervolume(points: Points, worst: np.ndarray) -> float:
    """Return the area between two-dimensional points and the worst values.

    Points that are not better than `worst` in both add nothing.

    Examples
    --------
    >>> hypervolume(np.array([[0.0, 1.0], [1.0, 0.0], [3.0, 3.0]]), np.array([2.0, 2.0]))
    3.0
    """
    inside = points[(points < worst).all(1)]
    if not len(inside):
        return 0.0
    front = np.unique(inside[undominated(inside)], axis=0)
    right = np.append(front[1:, 0], worst[0])
    return float(((right - front[:, 0]) * (worst[1] - front[:, 1])).sum())
