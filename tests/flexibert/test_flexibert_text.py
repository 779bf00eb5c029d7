"""Documents, batches, and the benchmark's files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from naslib_swap.errors import SwapError
from naslib_swap.flexibert import batches
from naslib_swap.flexibert.benchmark import TASKS, by_id, load_benchmark, load_released
from naslib_swap.flexibert.documents import load_documents
from naslib_swap.ground_truth import catalogue

FULL = dict.fromkeys((*TASKS, "glue"), 50.5)
TEXTS = ["the cat sat on the mat", "a dog", "the dog sat on the cat again and again", "mat cat"]


@pytest.fixture
def jsonl(tmp_path: Path) -> str:
    path = tmp_path / "text.jsonl"
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in TEXTS))
    return str(path)


@pytest.fixture
def vocabulary(tmp_path: Path) -> str:
    path = tmp_path / "vocab.txt"
    words = ["the", "cat", "sat", "on", "mat", "dog", "a"]
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    return str(path)


def test_every_kind_of_file_gives_the_same_documents(tmp_path: Path, jsonl: str) -> None:
    lines = tmp_path / "text.txt"
    lines.write_text("\n\n".join(TEXTS) + "\n")
    table = tmp_path / "text.parquet"
    pd.DataFrame({"text": TEXTS}).to_parquet(table)
    for path in (jsonl, str(lines), str(table)):
        assert load_documents(path, 4) == TEXTS
        assert load_documents(path, 2) == TEXTS[:2]


def test_ids_by_hand(jsonl: str, vocabulary: str) -> None:
    batch = batches.load(jsonl, samples=2, length=5, tokenizer=vocabulary)
    assert batch.input_ids.tolist() == [[2, 5, 6, 7, 3], [2, 11, 10, 3, 0]]
    assert batch.attention_mask.tolist() == [[1] * 5, [1, 1, 1, 1, 0]]
    assert batch.token_type_ids.tolist() == [[0] * 5] * 2
    assert batch.input_ids.dtype == torch.int64


def test_padded_to_the_longest_of_the_batch(jsonl: str, vocabulary: str) -> None:
    assert batches.load(jsonl, samples=4, length=512, tokenizer=vocabulary).input_ids.shape == (
        4,
        11,
    )


def test_a_trained_vocabulary_needs_no_file(jsonl: str) -> None:
    batch = batches.load(jsonl, samples=2, length=8, tokenizer="trained")
    assert batch.tokenizer == "trained on the documents"
    # five special entries, each letter twice, then words by how often, then by name
    letters = "".join(sorted(set("thecatsatonthematadog")))
    first = 5 + 2 * len(letters)
    words = ["the", "cat", "dog", "mat", "on", "sat"]
    ids = {word: first + i for i, word in enumerate(words)}
    assert batch.input_ids.tolist() == [
        [2, ids["the"], ids["cat"], ids["sat"], ids["on"], ids["the"], ids["mat"], 3],
        [2, 5 + letters.index("a"), ids["dog"], 3, 0, 0, 0, 0],
    ]


def test_cut_keeps_the_beginning(jsonl: str, vocabulary: str) -> None:
    batch = batches.load(jsonl, samples=4, length=8, tokenizer=vocabulary)
    cut = batch.cut(2, 3)
    assert torch.equal(cut.input_ids, batch.input_ids[:2, :3])
    assert cut.digest != batch.digest
    with pytest.raises(SwapError, match="cannot be cut to"):
        batch.cut(5, 3)


def test_text_shorter_than_a_batch_is_refused(jsonl: str) -> None:
    with pytest.raises(SwapError, match="has 4 documents; expected at least 5"):
        batches.load(jsonl, samples=5, length=8, tokenizer="trained")


def test_bad_text_is_refused(tmp_path: Path, jsonl: str) -> None:
    with pytest.raises(SwapError, match="unknown text source"):
        load_documents("wikipedia", 2)
    with pytest.raises(SwapError, match="there is no file"):
        load_documents(str(tmp_path / "none.txt"), 2)
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "good"}\n{"body": "bad"}\n')
    with pytest.raises(SwapError, match="line 2: expected a JSON object"):
        load_documents(str(broken), 2)
    broken.write_text('{"text": "good"}\n{"text": null}\n')
    with pytest.raises(SwapError, match='line 2: expected a document under "text", got None'):
        load_documents(str(broken), 2)
    holes = tmp_path / "holes.parquet"
    pd.DataFrame({"text": ["good", None]}).to_parquet(holes)
    with pytest.raises(SwapError, match='expected a document under "text", got None'):
        load_documents(str(holes), 2)
    other = tmp_path / "other.parquet"
    pd.DataFrame({"body": TEXTS}).to_parquet(other)
    with pytest.raises(SwapError, match="the columns body; expected one named text"):
        load_documents(str(other), 2)
    with pytest.raises(SwapError, match="expected at least 2 of each"):
        batches.load(jsonl, samples=1)


def test_the_working_folder_is_not_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NASLIB_SWAP_DATA", raising=False)
    monkeypatch.setenv("NASLIB_SWAP_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in ("text/openwebtext_256.jsonl", "swap/BERT_benchmark.json"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text('{"text": "here"}\n')
    streamed = "naslib_swap.flexibert.documents._streamed"
    monkeypatch.setattr(streamed, lambda: iter(["from afar"]))
    assert load_documents("openwebtext", 1) == ["from afar"]

    def download(wanted: catalogue.Entry) -> Path:
        raise SwapError(f"{wanted.name} is asked for")

    monkeypatch.setattr(catalogue, "download", download)
    with pytest.raises(SwapError, match="bert-benchmark is asked for"):
        load_benchmark()
    with pytest.raises(SwapError, match="there is no file nowhere; expected a copy of swap/BERT"):
        load_benchmark("nowhere")


def test_what_was_fetched_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NASLIB_SWAP_DATA", raising=False)
    monkeypatch.setenv("NASLIB_SWAP_CACHE", str(tmp_path))
    fetched = tmp_path / "swap" / "BERT_benchmark.json"
    fetched.parent.mkdir()
    fetched.write_text("[]")
    with pytest.raises(SwapError, match="is not bert-benchmark: its sha256 is"):
        load_benchmark()


def test_bad_vocabularies_are_refused(tmp_path: Path, jsonl: str, vocabulary: str) -> None:
    with pytest.raises(SwapError, match="there is no vocabulary"):
        batches.load(jsonl, samples=2, tokenizer=str(tmp_path / "none.txt"))
    plain = tmp_path / "plain.txt"
    plain.write_text("[PAD]\n[UNK]\ncat\n")
    with pytest.raises(SwapError, match=r"lacks \[CLS\], \[SEP\]"):
        batches.load(jsonl, samples=2, tokenizer=str(plain))
    with pytest.raises(SwapError, match="expected ids below vocab_size=5"):
        batches.load(jsonl, samples=2, tokenizer=vocabulary, vocab_size=5)


def test_openwebtext_is_found_beside_the_other_data(data_dir: Path) -> None:
    batch = batches.load(samples=128, length=128)
    assert batch.input_ids.shape == (128, 128)
    assert bool(batch.attention_mask.all())
    assert (batch.input_ids[:, 0] == 101).all()  # [CLS] of BERT's vocabulary


def test_the_benchmark_has_what_the_paper_says(data_dir: Path) -> None:
    entries = load_benchmark()
    assert [e.id for e in entries] == list(range(500))
    assert by_id(entries, 0).scores["glue"] == 74.73375
    for entry in entries:
        mean = sum(entry.scores[task] for task in TASKS) / len(TASKS)
        assert entry.scores["glue"] == pytest.approx(mean, abs=1e-6)
    assert load_released()["GLUE Score"].tolist() == [e.scores["glue"] for e in entries]
    with pytest.raises(SwapError, match="no encoder 500"):
        by_id(entries, 500)


def test_a_broken_benchmark_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "benchmark.json"
    for content, message in (
        ("{", "is no JSON"),
        ("{}", "expected a list"),
        ('[{"id": 1}]', "entry 0 lacks scores, hparams"),
        ('[{"id": 1, "scores": {}, "hparams": {}}]', "lacks the scores of cola"),
        (
            json.dumps([{"id": 1, "scores": {**FULL, "rte": "OOM"}, "hparams": {}}]),
            "entry 0 has the score 'OOM' of rte; expected a finite number",
        ),
        (
            json.dumps([{"id": "\n", "scores": FULL, "hparams": {}}]),
            r"entry 0 has the id '\\n': invalid literal",
        ),
    ):
        path.write_text(content)
        with pytest.raises(SwapError, match=message):
            load_benchmark(str(path))
    with pytest.raises(SwapError, match="there is no file"):
        load_benchmark(str(tmp_path / "none.json"))


def test_a_vocabulary_with_carriage_returns_alone_is_one_sentence(tmp_path: Path) -> None:
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
    for name, end in (("unix", "\n"), ("windows", "\r\n"), ("mac", "\r")):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + end.join(entries).encode())
    (tmp_path / "text.txt").write_text("a a\na\n")
    source = str(tmp_path / "text.txt")
    for name in ("unix", "windows"):
        batch = batches.load(source, samples=2, length=4, tokenizer=str(tmp_path / name))
        assert batch.input_ids.tolist() == [[2, 5, 5, 3], [2, 5, 3, 0]]
    with pytest.raises(SwapError, match=r"mac lacks \[PAD\], \[UNK\], \[CLS\], \[SEP\]"):
        batches.load(source, samples=2, length=4, tokenizer=str(tmp_path / "mac"))


def test_released_values_of_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "released.csv"
    for content, message in (("", "cannot be read as CSV"), ("A,B\n1,2\n", "ID"), ("\xff", "CSV")):
        path.write_text(content)
        with pytest.raises(SwapError, match=message):
            load_released(str(path))
