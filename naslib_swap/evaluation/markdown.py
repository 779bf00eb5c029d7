"""Tables in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def markdown_table(view: pd.DataFrame) -> str:
    """Return a frame as a Markdown table, its first column to the left, the others to the right.

    Examples
    --------
    >>> import pandas as pd
    >>> print(markdown_table(pd.DataFrame({"proxy": ["SWAP"], "Spearman": ["0.90"]})), end="")
    | proxy | Spearman |
    |---|---:|
    | SWAP | 0.90 |
    """
    lines = ["| " + " | ".join(view.columns) + " |"]
    lines.append("|" + "|".join(["---"] + ["---:"] * (len(view.columns) - 1)) + "|")
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in view.itertuples(index=False)]
    return "\n".join(lines) + "\n"
