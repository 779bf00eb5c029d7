"""How proxies rank while they are still being computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from naslib_swap.scoring.record import Record
from naslib_swap.scoring.study import Study

_LEAST = 4
"""Architectures below which a correlation has no interval, and no row."""

_Task = tuple[str, str]


@dataclass(frozen=True)
class Standing:
    """A proxy as far as it is computed.

    Attributes
    ----------
    proxy
        Its name.
    n
        Architectures with a score and an accuracy, of the seed that has the most.
    spearman
        The mean over seeds.
    low, high
        95 % interval by Fisher's transformation, which costs nothing. The final table resamples.
    seconds
        The mean that it costs for one architecture.
    """

    proxy: str
    n: int
    spearman: float
    low: float
    high: float
    seconds: float


class Standings:
    """Takes scores as they come, and says how each proxy ranks so far.

    Parameters
    ----------
    studies
        What is being scored; at most one study per task.
    accuracies
        For each study, the accuracies by the names that it gives its subjects.
    directions
        Whether higher values of a proxy are better; True for those not in it.
    """

    def __init__(
        self,
        studies: Sequence[Study],
        accuracies: Sequence[Mapping[str, float]],
        directions: Mapping[str, bool] | None = None,
    ) -> None:
        self._accuracies: dict[_Task, dict[str, float]] = {}
        for study, accuracy in zip(studies, accuracies):
            # Several names may stand for one network; it is scored once, and counts once.
            self._accuracies[study.space, study.task] = {
                subject.name: accuracy[name]
                for name, subject in study.subjects.items()
                if name in accuracy
            }
        self._directions = directions or {}
        self._values: dict[_Task, dict[str, dict[int, dict[str, float]]]] = {}
        self._seconds: dict[tuple[_Task, str], list[float]] = {}
        self.latest: _Task | None = None

    def add(self, records: Iterable[Record]) -> None:
        """Take scores; those of architectures without an accuracy do not count."""
        for key, score, _ in records:
            task = (key.space, key.task)
            if key.arch not in self._accuracies.get(task, {}) or score.value is None:
                continue
            self.latest = task
            of_proxy = self._values.setdefault(task, {}).setdefault(key.proxy, {})
            of_proxy.setdefault(key.seed, {})[key.arch] = score.value
            spent = self._seconds.setdefault((task, key.proxy), [0.0, 0])
            spent[0], spent[1] = spent[0] + score.seconds, spent[1] + 1

    def now(self) -> list[Standing]:
        """Return the proxies of the task that is being scored, best first."""
        if self.latest is None:
            return []
        found = []
        for proxy, seeds in self._values[self.latest].items():
            ranked = [self._spearman(proxy, values) for values in seeds.values()]
            known = [value for value in ranked if math.isfinite(value)]
            if not known:
                continue
            n, middle = max(map(len, seeds.values())), float(np.mean(known))
            total, count = self._seconds[self.latest, proxy]
            found.append(Standing(proxy, n, middle, *fisher_interval(middle, n), total / count))
        return sorted(found, key=lambda one: (-one.spearman, one.proxy))

    def _spearman(self, proxy: str, values: Mapping[str, float]) -> float:
        from naslib_swap.evaluation.statistics import spearman  # imports scipy

        assert self.latest is not None  # whoever asks has seen that
        if len(values) < _LEAST:
            return float("nan")
        accuracies = self._accuracies[self.latest]
        sign = 1.0 if self._directions.get(proxy, True) else -1.0
        x = np.fromiter(values.values(), float)
        return spearman(sign * x, np.array([accuracies[arch] for arch in values]))


def fisher_interval(spearman: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of Spearman's correlation by Fisher's z.

    The variance is Bonett and Wright's (Psychometrika 2000): (1 + r² / 2) / (n - 3). A correlation
    of 1 would have no width; it counts as half an exchange of two neighbours less.

    Examples
    --------
    >>> low, high = fisher_interval(0.5, 103)
    >>> round(low, 3), round(high, 3)
    (0.328, 0.639)
    """
    if n <= 3:
        return -1.0, 1.0
    most = 1 - 6 / (n * (n**2 - 1))
    r = min(max(spearman, -most), most)
    half = 1.959964 * math.sqrt((1 + r**2 / 2) / (n - 3))
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)
