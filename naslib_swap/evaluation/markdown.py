"""Tables in Markdown, and text in which nothing is markup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from naslib_swap.quoting import without_controls

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
    lines = ["| " + " | ".join(map(as_text, view.columns)) + " |"]
    lines.append("|" + "|".join(["---"] + ["---:"] * (len(view.columns) - 1)) + "|")
    lines += ["| " + " | ".join(map(as_text, row)) + " |" for row in view.itertuples(index=False)]
    return "\n".join(lines) + "\n"


_MARKUP = re.compile(
    r"[\\`*\[\]<>|~$]"  # code, emphasis, links, HTML, cells, formulas
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # one inside a word emphasises nothing
    r"|&(?=[#A-Za-z])"  # &lt; and the like
    r"|^(?:[-+]|\#+)(?=\s|$)"  # a list or a heading, at the start of a paragraph
    r"|^-(?=-)"  # a rule
    # A numbered list; a look behind has one width.
    r"|(?:" + "|".join(f"(?<=^[0-9]{{{digits}}})" for digits in range(1, 10)) + r")[.)](?=\s|$)"
)


def as_text(value: object) -> str:
    r"""Return a value as one line of Markdown that shows it, whatever it holds.

    Examples
    --------
    >>> print(as_text("reg_swap a|b <b>"))
    reg_swap a\|b \<b\>
    """
    return _MARKUP.sub(
        lambda found: f"\\{found[0]}", without_controls(str(value)).replace("\n", " ")
    )
