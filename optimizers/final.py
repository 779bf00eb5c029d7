"""The final choice: the best of a search, scored again and chosen by several proxies.

The top of one proxy is where the proxy says least: its scores saturate there, and an evolution has
looked for its errors. So the finalists get further scores, by other proxies, in other draws of
weights and on more images, and the one is chosen whose ranks among them are best taken together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from naslib_swap.combinations import signed
from naslib_swap.errors import Unscorable
from naslib_swap.scoring.architecture import Architecture
from naslib_swap.scoring.conditions import Conditions
from naslib_swap.scoring.execution import Execution, Workers
from naslib_swap.scoring.runs import run
from naslib_swap.scoring.store import LineStore, MemoryStore
from naslib_swap.scoring.study import Study, gather

SCORES = "finalists.jsonl"


@dataclass(frozen=True)
class Finalist:
    """One of the best of a search, scored again.

    Attributes
    ----------
    arch
        In the space's notation.
    standing
        Mean, over the proxies, of the share of finalists that it is better than or equal to; 1 is
        best.
    values
        By proxy, the mean over draws; None where there is none.
    """

    arch: str
    standing: float
    values: Mapping[str, float | None]


def scored_again(
    archs: Sequence[str],
    *,
    space: str,
    task: str,
    variant: str | None,
    names: Sequence[str],
    seeds: Sequence[int],
    conditions: Conditions,
    workers: Workers,
    folder: Path | None,
) -> dict[str, np.ndarray]:
    """Score finalists; what the folder holds from an earlier run is not scored again.

    Returns
    -------
    dict
        By proxy, float64 [finalists, draws], as the proxy defines it; NaN where there is no score.

    Raises
    ------
    SwapError
        As `naslib_swap.scoring.run`.
    """
    subjects = {arch: Architecture(space, task, arch, variant) for arch in archs}
    study = Study(space, task, subjects, tuple(names), tuple(seeds), conditions)
    execution = Execution(**asdict(workers))
    if folder is None:
        store = MemoryStore()
        run([study], store, execution)
        frame = gather([study], store)[0]
    else:
        with LineStore(folder / SCORES) as kept:
            run([study], kept, execution)
            frame = gather([study], kept)[0]
    place = {arch: number for number, arch in enumerate(archs)}
    draw = {seed: number for number, seed in enumerate(seeds)}
    found = {name: np.full((len(archs), len(seeds)), np.nan) for name in names}
    columns = (frame[name].tolist() for name in ("proxy", "arch", "seed", "value"))
    for name, arch, seed, value in zip(*columns):
        found[name][place[arch], draw[seed]] = value
    return found


def chosen(
    archs: Sequence[str], scores: Mapping[str, np.ndarray], against: Sequence[str] = ()
) -> tuple[Finalist, ...]:
    """Put finalists in order, best first; of equals the one that the search had first.

    By the proxies in `against` little is better, where much is by their own direction.

    In each draw of each proxy the finalists are ranked, equals by their mean rank, those without a
    score last; a standing is the mean over draws, then over proxies.

    Raises
    ------
    Unscorable
        A proxy has no score for any of them.

    Examples
    --------
    >>> scores = {"params": np.array([[1.0], [2.0]]), "depth": np.array([[3.0], [9.0]])}
    >>> [one.arch for one in chosen(["a", "b"], scores)]
    ['b', 'a']
    """
    from scipy.stats import rankdata

    standings = np.zeros(len(archs))
    for name, values in scores.items():
        turned = -signed(values, name) if name in against else signed(values, name)
        better = np.where(np.isnan(values), -np.inf, turned)
        if np.isinf(better).all():
            raise Unscorable(f"none of the {len(archs)} finalists has a score by {name}.")
        standings += rankdata(better, axis=0).mean(1) / len(archs) / len(scores)
    order = np.argsort(-standings.round(12), kind="stable")
    return tuple(
        Finalist(
            archs[place],
            float(standings[place].round(12)),
            {name: _mean(values[place]) for name, values in scores.items()},
        )
        for place in order
    )


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
