"""What a page needs to look into a comparison, as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from naslib_swap import proxies as registry
from naslib_swap.evaluation.report import SHOWN, Outcome, directions_of, presented, title_of
from naslib_swap.quoting import legible
from naslib_swap.web import numbers

MOST_DRAWN = 1500
"""Networks that a panel draws; of more, a sample."""

_WHISKER = "whisker"
_SORTED_BY = {"interval": "ci_low", "behind": "behind_low"}

_ABOUT = {
    "n": "architectures that the proxy scored",
    "spearman": "Spearman correlation with the accuracies",
    "spearman_common": "Spearman correlation on the architectures that every computed proxy scored",
    "interval": "95 % interval of the Spearman correlation: bootstrap over architectures",
    "behind": "how much lower the Spearman correlation is than that of the best row, 95 % interval",
    "spearman_std": "standard deviation of the Spearman correlation over seeds",
    "kendall": "Kendall's tau-b",
    "spearman_given_params": "partial Spearman correlation, #params held fixed",
    "spearman_given_flops": "partial Spearman correlation, FLOPs held fixed",
    "spearman_within_depth": "Spearman correlation among architectures of equal depth",
    "ndcg": "how good the k best by proxy are, 1 at best",
    "regret": "accuracy lost by training the k best by proxy instead of all",
    "stored_spearman": "Spearman correlation of scores that came with the accuracies",
    "seconds_per_arch": "milliseconds per architecture that the proxy costs alone, one thread",
    "saturated_fraction": "scores at their upper bound, which tell nothing apart",
    "failed": "architectures that the proxy could not score",
}


def explorer_data(outcome: Outcome) -> dict[str, Any]:
    """Return a task as the page's scripts take it.

    Returns
    -------
    dict
        ``columns`` and ``rows`` of the table of proxies; ``archs``, ``accuracy`` and, for each of
        ``proxies``, its ``values``: means over seeds, None where there is none; ``drawn``, the
        networks that panels show.
    """
    columns, rows = _table(outcome.table)
    means = _means(outcome)
    accuracy = [outcome.accuracy[arch] for arch in means.index]
    directions = directions_of(list(outcome.table["proxy"]))
    spearman = outcome.table.set_index("proxy")["spearman"]
    shown = [
        {
            "title": title_of(proxy),
            "ours": proxy in ("swap", "reg_swap"),
            "higher": directions[proxy],
            "scale": _scale(proxy),
            "spearman": numbers([spearman[proxy]])[0],
            "values": numbers(means[proxy]),
        }
        for proxy in outcome.table["proxy"]
    ]
    return {
        "name": f"{outcome.space}-{outcome.task}",
        "columns": columns,
        "rows": rows,
        "archs": [legible(arch) for arch in means.index],
        "accuracy": numbers(accuracy),
        "proxies": shown,
        "drawn": drawn(len(means)),
        "most": MOST_DRAWN,
        "colour": title_of("depth") if "depth" in means and means["depth"].nunique() > 1 else None,
    }


def drawn(count: int, most: int = MOST_DRAWN) -> list[int]:
    """Return which of so many networks panels show: all, or a sample that is always the same.

    Examples
    --------
    >>> drawn(3), len(drawn(15_625))
    ([0, 1, 2], 1500)
    """
    if count <= most:
        return list(range(count))
    chosen = np.random.default_rng(count).choice(count, most, replace=False)
    return [int(place) for place in np.sort(chosen)]


def _table(table: pd.DataFrame) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return columns and rows: every cell as text, and as the number that it is sorted by."""
    view = presented(table)
    columns: list[dict[str, Any]] = [{"title": "proxy", "key": "proxy"}]
    rows: list[dict[str, Any]] = [
        {"id": number, "proxy": name, "hint": proxy, "ours": proxy in ("swap", "reg_swap")}
        for number, (name, proxy) in enumerate(zip(view["proxy"], map(legible, table["proxy"])))
    ]
    for name, (heading, _) in SHOWN.items():
        if heading not in view:
            continue
        values = numbers(table[_SORTED_BY.get(name, name)])
        columns.append(
            {"title": heading, "about": _ABOUT[name], "key": name, "text": f"{name}_text",
             "numeric": True}
        )  # fmt: skip
        for row, value, text in zip(rows, values, view[heading]):
            row[name], row[f"{name}_text"] = value, text
    # Beside the number, a picture of its interval; this in words is there to be picked.
    for column in columns:
        column["hidden"] = column["key"] == "interval"
    place = 1 + next((n for n, one in enumerate(columns) if one["key"] == "spearman"), 0)
    columns.insert(
        place, {"title": "95 %", "about": _ABOUT["interval"], "key": _WHISKER, "hidden": False}
    )
    ends = zip(*(numbers(table[name]) for name in ("ci_low", "spearman", "ci_high")))
    for row, (low, middle, high) in zip(rows, ends):
        row[_WHISKER] = [low, middle, high]
    return columns, rows


def _means(outcome: Outcome) -> pd.DataFrame:
    """Return scores, [architectures, proxies]: means over seeds, of those with an accuracy."""
    scores = outcome.scores
    known = scores[scores["arch"].isin(outcome.accuracy.keys())]
    mean = known.pivot_table(index="arch", columns="proxy", values="value", aggfunc="mean")
    archs = sorted(known["arch"].unique())
    return mean.reindex(index=archs, columns=list(outcome.table["proxy"]))


def _scale(proxy: str) -> str:
    scale = registry.get(proxy).scale if proxy in registry.names() else ""
    return "" if scale == "linear" else scale
