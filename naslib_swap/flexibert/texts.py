"""The texts that encoders are scored on: where they come from, and how they are known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from naslib_swap.errors import BadArgument
from naslib_swap.flexibert import batches
from naslib_swap.flexibert.batches import TextBatch
from naslib_swap.flexibert.documents import OPENWEBTEXT
from naslib_swap.scoring.images import Digests


@dataclass(frozen=True)
class Texts:
    """Where a batch of documents comes from; see :func:`naslib_swap.flexibert.batches.load`.

    Attributes
    ----------
    source
        ``"openwebtext"``, or the path of a file.
    tokenizer
        ``"auto"``, ``"hub"``, ``"trained"``, or the path of a vocabulary.
    samples
        S, documents in the batch.
    length
        T, tokens of each document.
    """

    source: str = OPENWEBTEXT
    tokenizer: str = "auto"
    samples: int = 128
    length: int = 128

    def batch(self, task: int, seed: int = 0) -> TextBatch:
        """Load the batch for encoders of `task` positions; kept, since every encoder sees it.

        Raises
        ------
        BadArgument
            If documents are longer than that.
        SwapError
            If the text cannot be loaded.
        """
        if self.length > task:
            raise BadArgument(
                f"got documents of {self.length} tokens, expected at most {task}: an encoder has "
                "no more positions. Give a smaller length."
            )
        return _loaded(self)

    def shape(self, task: int) -> tuple[int, ...]:
        """Return the shape of one document: its tokens, padded to the longest of the batch."""
        return tuple(self.batch(task).input_ids.shape[1:])

    def digests(self, task: int, seed: int = 0) -> Digests:
        """Return what identifies the batch: a digest of its ids."""
        return Digests(self.batch(task, seed).digest)


@lru_cache(maxsize=4)
def _loaded(texts: Texts) -> TextBatch:
    return batches.load(
        texts.source, samples=texts.samples, length=texts.length, tokenizer=texts.tokenizer
    )
