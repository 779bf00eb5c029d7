"""Minibatches of text: documents, tokenised, cut and padded to one length."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import BertWordPieceTokenizer, Tokenizer
from torch import Tensor

from naslib_swap.errors import BadArgument, BadFile, SwapError
from naslib_swap.flexibert.documents import OPENWEBTEXT, load_documents
from naslib_swap.ground_truth.catalogue import data_folder
from naslib_swap.reading import damage, read_text

HUB_TOKENIZER = "google/electra-small-discriminator"
_VOCABULARY_COPY = Path("text") / "vocab.txt"
_TRAINED_VOCABULARY = 8192
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True, eq=False)
class TextBatch:
    """S documents of T tokens.

    ``input_ids``, ``attention_mask`` and ``token_type_ids`` are int64 [S, T]; ``source`` and
    ``tokenizer`` name where they come from, ``digest`` identifies the exact ids.
    """

    input_ids: Tensor
    attention_mask: Tensor
    token_type_ids: Tensor
    source: str
    tokenizer: str
    digest: str

    def inputs(self) -> dict[str, Tensor]:
        """Return the keyword arguments of an encoder."""
        return {
            "input_ids": self.input_ids,
            "attention_mask": self.attention_mask,
            "token_type_ids": self.token_type_ids,
        }

    def cut(self, samples: int, length: int) -> TextBatch:
        """Return the first ``samples`` documents, cut to their first ``length`` tokens."""
        if samples > len(self.input_ids) or length > self.input_ids.shape[1]:
            raise BadArgument(
                f"got a batch of {tuple(self.input_ids.shape)} documents and tokens, which cannot "
                f"be cut to ({samples}, {length})"
            )
        ids = self.input_ids[:samples, :length].contiguous()
        return TextBatch(
            input_ids=ids,
            attention_mask=self.attention_mask[:samples, :length].contiguous(),
            token_type_ids=self.token_type_ids[:samples, :length].contiguous(),
            source=self.source,
            tokenizer=self.tokenizer,
            digest=_digest(ids),
        )


def load(
    source: str = OPENWEBTEXT,
    *,
    samples: int = 128,
    length: int = 128,
    tokenizer: str = "auto",
    vocab_size: int = 30522,
) -> TextBatch:
    """Tokenise the first ``samples`` documents of a source.

    Parameters
    ----------
    source
        See :func:`naslib_swap.flexibert.documents.load_documents`.
    samples, length
        S documents, each cut after ``length`` tokens ([CLS] and [SEP] included); shorter documents
        are padded to the longest of the batch.
    tokenizer
        ``"hub"``: that of google/electra-small-discriminator; a path: a WordPiece vocabulary, one
        entry a line; ``"trained"``: WordPiece, trained on the documents themselves (weights are
        random, so ids are mere names); ``"auto"``: ``text/vocab.txt`` under ``NASLIB_SWAP_DATA``,
        else the hub's, else trained.
    vocab_size
        The ids must be below it.

    Raises
    ------
    SwapError
        Too few documents; unknown source or tokenizer; ids beyond ``vocab_size``.
    """
    if samples < 2 or length < 2:
        raise BadArgument(f"got {samples} samples of {length} tokens; expected at least 2 of each")
    documents = load_documents(source, samples)
    encode, name = _tokenizer(tokenizer, documents)
    encode.enable_truncation(length)
    encode.enable_padding(pad_id=0, pad_token="[PAD]")
    encodings = encode.encode_batch(documents)
    ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
    if ids.max() >= vocab_size:
        raise BadArgument(
            f"the tokenizer {name} gave id {ids.max()}; expected ids below vocab_size={vocab_size}"
        )
    input_ids = torch.from_numpy(ids)
    return TextBatch(
        input_ids=input_ids,
        attention_mask=torch.tensor([encoding.attention_mask for encoding in encodings]),
        token_type_ids=torch.zeros_like(input_ids),
        source=source,
        tokenizer=name,
        digest=_digest(input_ids),
    )


def _digest(ids: Tensor) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the shape and the int64 ids."""
    content = f"{tuple(ids.shape)}".encode() + ids.numpy().astype("<i8").tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def _tokenizer(choice: str, documents: list[str]) -> tuple[Tokenizer, str]:
    if choice == "trained":
        return _trained(documents), "trained on the documents"
    if choice == "hub":
        return _from_hub(), HUB_TOKENIZER
    if choice != "auto":
        return _from_vocabulary(Path(choice)), Path(choice).name
    folder = data_folder()
    copy = None if folder is None else folder / _VOCABULARY_COPY
    if copy is not None and copy.is_file():
        return _from_vocabulary(copy), HUB_TOKENIZER
    try:
        return _from_hub(), HUB_TOKENIZER
    except SwapError:  # "auto" promises to go on without a network
        return _trained(documents), "trained on the documents"


def _from_vocabulary(path: Path) -> Tokenizer:
    if not path.is_file():
        raise BadFile(
            f"there is no vocabulary {path}; expected a WordPiece vocabulary file, 'hub', "
            "'trained' or 'auto'"
        )
    # Lines end as the tokenizers library ends them: a carriage return alone is part of an entry.
    entries = [line.rstrip() for line in read_text(path).rstrip("\n").split("\n")]
    missing = [token for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]") if token not in entries]
    if missing:
        raise BadFile(f"the vocabulary {path} lacks {', '.join(missing)}; use a BERT vocabulary")
    with damage(f"the vocabulary {path} cannot be used"):
        vocabulary = {entry: number for number, entry in enumerate(entries)}
        return BertWordPieceTokenizer(vocabulary, lowercase=True)._tokenizer


def _from_hub() -> Tokenizer:
    try:
        return Tokenizer.from_pretrained(HUB_TOKENIZER)
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise BadFile(
            f"the tokenizer of {HUB_TOKENIZER} could not be downloaded: {error}. Give a "
            "vocabulary file, or 'trained'"
        ) from error


def _trained(documents: list[str]) -> Tokenizer:
    """Build a WordPiece vocabulary: every character, and the most frequent words.

    The library's own trainer breaks ties in another order on every run, so that no score could be
    found again.
    """
    bare = BertWordPieceTokenizer(lowercase=True)._tokenizer
    words: Counter[str] = Counter()
    for document in documents:
        split = bare.pre_tokenizer.pre_tokenize_str(bare.normalizer.normalize_str(document))
        words.update(word for word, _ in split)
    characters = sorted({character for word in words for character in word})
    pieces = [*_SPECIAL, *characters, *(f"##{character}" for character in characters)]
    ranked = sorted(words, key=lambda word: (-words[word], word))
    pieces += [word for word in ranked if len(word) > 1][
        : max(0, _TRAINED_VOCABULARY - len(pieces))
    ]
    return BertWordPieceTokenizer({piece: i for i, piece in enumerate(pieces)})._tokenizer
