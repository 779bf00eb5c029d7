"""Which row of a table to take, in sentences made of its numbers."""

from __future__ import annotations

from typing import Any, Callable

import pandas as pd

TRIVIAL = ("params", "flops", "depth", "reg_params", "reg_flops")
LABEL_FREE = ("computed", "combined")
_SATURATED = 0.05
_FEWEST = 20
"""Architectures below which an interval says little: resamples of a few are often all alike."""


def advice(table: pd.DataFrame, title_of: Callable[[str], str]) -> str:
    """Return two sentences: the row to take and how far to trust it, and what else would do.

    Parameters
    ----------
    table
        Rows of `naslib_swap.evaluation.correlate`, best first, with ``source``.
    title_of
        What a row is called.

    Returns
    -------
    str
        Empty where no computed row ranks better than chance. Below 20 architectures, why there is
        no advice.
    """
    rows = table[table["source"].isin(LABEL_FREE) & table["spearman"].notna()]
    best: Any = next(rows.itertuples(), None)
    if best is None or not best.ci_low > 0:
        return ""
    if best.n < _FEWEST:
        return f"{best.n} architectures tell too little for advice: take at least {_FEWEST}."
    return f"{_first(rows, best, title_of)} {_second(rows, best, title_of)}".strip()


def _first(rows: pd.DataFrame, best: Any, title_of: Callable[[str], str]) -> str:
    taken = f"Take {title_of(best.proxy)}: {_told(best)} on these {best.n} architectures"
    sizes = rows[rows["proxy"].isin(TRIVIAL)]
    if best.proxy in TRIVIAL:
        return f"{taken}, the size alone, which no proxy here is ahead of."
    if sizes.empty:
        return f"{taken}."
    size: Any = next(sizes.itertuples())
    if size.behind_low > 0:
        return f"{taken}, ahead of {title_of(size.proxy)} ({size.spearman:.2f})."
    return f"{taken}, which cannot be told from {title_of(size.proxy)} ({size.spearman:.2f})."


def _second(rows: pd.DataFrame, best: Any, title_of: Callable[[str], str]) -> str:
    alike = rows[~(rows["behind_low"] > 0) & (rows["proxy"] != best.proxy)]
    cheaper = alike[alike["seconds_per_arch"] < best.seconds_per_arch / 2]
    if len(cheaper):
        other: Any = next(cheaper.sort_values("seconds_per_arch").itertuples())
        return (
            f"{title_of(other.proxy)} ({other.spearman:.2f}) cannot be told from it and takes "
            f"{_ms(other)} ms instead of {_ms(best)}."
        )
    if best.saturated_fraction > _SATURATED:
        return (
            f"{best.saturated_fraction:.0%} of its scores are at their upper bound: take more "
            "samples."
        )
    if len(alike):
        listed = ", ".join(title_of(proxy) for proxy in alike["proxy"].head(3))
        return f"It cannot be told from {listed}."
    return "All other rows are behind it by more than chance."


def _ms(row: Any) -> str:
    ms = 1000 * row.seconds_per_arch
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.3g}"


def _told(row: Any) -> str:
    return f"Spearman {row.spearman:.2f} ({row.ci_low:.2f} to {row.ci_high:.2f})"
