"""Proxies that are being computed, as a ranking on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from naslib_swap.cli.live import Ranking, Row

if TYPE_CHECKING:
    from naslib_swap.evaluation.standings import Standings

_COLUMNS = ("proxy", "Spearman", "95 % interval", "n", "ms/arch")


def ranking_of(
    standings: Standings, title_of: Callable[[str], str], truth: str = "the accuracies"
) -> Ranking:
    """Return how the proxies rank so far against ``truth``."""
    rows = [
        Row(
            title_of(one.proxy),
            (
                f"{one.spearman:.3f}",
                f"{one.low:.2f} to {one.high:.2f}",
                str(one.n),
                f"{1000 * one.seconds:.1f}",
            ),
            one.proxy in ("swap", "reg_swap"),
            (one.low, one.spearman, one.high),
        )
        for one in standings.now()
    ]
    space, task = standings.latest or ("", "")
    return Ranking(f"{space} / {task}: Spearman correlation with {truth} so far", _COLUMNS, rows)
