"""Texts as tokens: windows of real words, numbered for any vocabulary."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from naslib_swap.errors import BadFile
from naslib_swap.flexibert.documents import documents
from naslib_swap.models.model import Takes
from naslib_swap.quoting import one_line
from naslib_swap.reading import damage

_WORDS = re.compile(r"\w+|[^\w\s]")
_FIRST = 5
"""Below it, vocabularies keep tokens with a meaning of their own."""


def tokens(takes: Takes, samples: int, text: str | None) -> Tensor:
    """Return consecutive windows of a text as numbers of tokens.

    Every window is full, so that no token is padding. Words are numbered by how often they are
    there, and begin again where the vocabulary ends: weights are random, so that numbers are mere
    names.

    Parameters
    ----------
    takes
        The length of a window, the size of the vocabulary, and the tokens to leave out.
    samples
        S, the windows wanted.
    text
        A ``.txt``, ``.jsonl`` or ``.parquet`` file; None takes the descriptions of data sets that
        come with scikit-learn.

    Returns
    -------
    torch.Tensor
        int64 [S, T]; fewer rows where the text is shorter.

    Raises
    ------
    SwapError
        A file that cannot be read, or one with fewer words than two windows have.
    """
    assert takes.shape is not None
    length, vocabulary = takes.shape[0], takes.vocabulary or 30_000
    numbered = _numbered(text)
    rows = min(samples, len(numbered) // length)
    if rows < 2:
        raise BadFile(
            f"{_said(text)} has {len(numbered):,} words, expected at least {2 * length}: two texts "
            f"of {length} tokens. Give more text, or a smaller --length."
        )
    allowed = [
        n for n in range(min(_FIRST, vocabulary // 2), vocabulary) if n not in takes.reserved
    ]
    names = torch.tensor(allowed)
    found = names[torch.tensor(numbered[: rows * length]) % len(names)].reshape(rows, length)
    if bool((found == found[0]).all()):
        raise BadFile(f"{_said(text)}: all windows of {length} tokens are alike. Give other text.")
    return found


@lru_cache(maxsize=4)
def _numbered(text: str | None) -> list[int]:
    """Return each word's place among all words, the most frequent first."""
    words = _WORDS.findall(_read(text).lower())
    counts = Counter(words)
    place = {w: n for n, w in enumerate(sorted(counts, key=lambda w: (-counts[w], w)))}
    return [place[word] for word in words]


def _read(text: str | None) -> str:
    if text is not None:
        with damage(f"the text {one_line(text)} cannot be read"):
            return "\n".join(documents(text))
    import sklearn

    folder = Path(sklearn.__file__).parent / "datasets" / "descr"
    files = sorted(folder.glob("*.rst"))
    return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)


def _said(text: str | None) -> str:
    return "the text of scikit-learn's descriptions" if text is None else one_line(text)
