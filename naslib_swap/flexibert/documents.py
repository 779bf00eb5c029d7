"""Documents: OpenWebText, or a local file."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from naslib_swap.errors import BadArgument, BadFile, SwapError
from naslib_swap.ground_truth.catalogue import data_folder
from naslib_swap.inputs import hub

OPENWEBTEXT = "openwebtext"
# Where a copy of the first documents is looked for under NASLIB_SWAP_DATA, before the network.
_LOCAL_COPY = Path("text") / "openwebtext_256.jsonl"
_MOST_ROWS = 10_000
"""Of a data set of the HuggingFace hub."""


def load_documents(source: str, count: int) -> list[str]:
    """Return the first ``count`` documents of a source.

    ``source`` is ``"openwebtext"`` (a copy under ``NASLIB_SWAP_DATA`` where there is one, else
    streamed through ``datasets``), ``"hf:NAME"`` (the first rows of a data set that ``datasets``
    reads) or the path of a ``.jsonl`` file (``{"text": ...}`` a line), a ``.txt`` file (a document
    a line) or a ``.parquet`` file (a column ``text``). Documents of white space are passed over.

    Raises
    ------
    SwapError
        Where the source is unknown, cannot be read, or has fewer documents.
    """
    try:
        found = list(itertools.islice(filter(str.strip, documents(source)), count))
    except SwapError:
        raise
    except (OSError, ValueError) as error:  # not UTF-8, no Parquet, no right to read it
        raise BadFile(f"cannot read the text {source}: {error}") from error
    if len(found) < count:
        raise BadFile(
            f"{source} has {len(found)} documents; expected at least {count}. Ask for fewer "
            "samples, or give more text"
        )
    return found


def documents(source: str) -> Iterator[str]:
    """Yield the documents of a source, as `load_documents` names them; errors come as they are."""
    if source == OPENWEBTEXT:
        folder = data_folder()
        copy = None if folder is None else folder / _LOCAL_COPY
        return _jsonl(copy) if copy is not None and copy.is_file() else _streamed()
    if source.startswith("hf:"):
        name = source[len("hf:") :]
        return iter(hub.texts_of(hub.read_rows(name, _MOST_ROWS), name))
    path = Path(source)
    readers = {".jsonl": _jsonl, ".txt": _lines, ".parquet": _parquet}
    if path.suffix not in readers:
        raise BadArgument(
            f"unknown text source {source!r}; expected {OPENWEBTEXT!r} or a path that ends in "
            f"{', '.join(readers)}"
        )
    if not path.is_file():
        raise BadFile(f"there is no file {source}; give the path of a text file")
    return readers[path.suffix](path)


def _jsonl(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                text = json.loads(line)["text"]
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise BadFile(
                    f'{path}, line {number}: expected a JSON object with "text", got '
                    f"{line.strip()[:60]!r}"
                ) from error
            yield _text(f"{path}, line {number}", text)


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield line.rstrip("\n")


def _parquet(path: Path) -> Iterator[str]:
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(path)
    if "text" not in file.schema_arrow.names:
        raise BadFile(
            f"{path} has the columns {', '.join(file.schema_arrow.names)}; expected one named text"
        )
    for batch in file.iter_batches(batch_size=256, columns=["text"]):
        yield from (_text(str(path), value) for value in batch.column(0).to_pylist())


def _text(where: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadFile(f'{where}: expected a document under "text", got {value!r}')
    return value


def _streamed() -> Iterator[str]:
    import datasets

    try:
        rows = datasets.load_dataset("Skylion007/openwebtext", split="train", streaming=True)
        yield from (row["text"] for row in rows)
    except (OSError, ConnectionError, datasets.exceptions.DatasetsError) as error:
        raise BadFile(
            "OpenWebText could not be streamed (no network, or no access); give the path of a "
            f".jsonl, .txt or .parquet file instead, or set NASLIB_SWAP_DATA: {error}"
        ) from error
