"""Checksums: wrong ones are refused at every door, and unchanged files are not read again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os

import pytest

from naslib_swap import inputs
from naslib_swap.errors import SwapError
from naslib_swap.ground_truth import catalogue, verified


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file of the catalogue, long settled, and how often files were read."""
    path = tmp_path / "cache" / "naslib" / "zc_nasbench201.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    monkeypatch.delenv(catalogue.DATA_VARIABLE, raising=False)
    monkeypatch.setenv(catalogue.CACHE_VARIABLE, str(tmp_path / "cache"))
    entry = dataclasses.replace(
        catalogue.entry("zc-nasbench201"), sha256=hashlib.sha256(b"{}").hexdigest()
    )
    monkeypatch.setitem(catalogue.CATALOGUE, "zc-nasbench201", entry)
    monkeypatch.setattr(verified, "_SETTLED", -1)
    monkeypatch.setattr(verified, "_remembered", {})
    reads = []
    read = catalogue._sha256
    monkeypatch.setattr(catalogue, "_sha256", lambda path: reads.append(path) or read(path))
    return path, entry, reads


def test_an_unchanged_file_is_read_once(file, monkeypatch):
    path, entry, reads = file
    for _ in range(3):
        catalogue.confirm(entry, path)
    assert len(reads) == 1
    # Another process has the memory in the cache only.
    monkeypatch.setattr(verified, "_remembered", {})
    catalogue.confirm(entry, path)
    assert len(reads) == 1
    catalogue.verify(entry, path)
    assert len(reads) == 2


def test_a_change_of_the_same_size_is_seen(file):
    path, entry, _ = file
    catalogue.confirm(entry, path)
    before = path.stat()
    path.write_text("[]")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(SwapError, match=r"zc_nasbench201\.json is not zc-nasbench201: its sha256"):
        catalogue.confirm(entry, path)
    # What is wrong is remembered too, and stays wrong.
    with pytest.raises(SwapError, match="is not zc-nasbench201"):
        catalogue.locate("zc-nasbench201")


def test_a_young_file_is_read_again(file, monkeypatch):
    path, entry, reads = file
    monkeypatch.setattr(verified, "_SETTLED", 3_600_000_000_000)
    for _ in range(2):
        catalogue.confirm(entry, path)
    assert len(reads) == 2


@pytest.mark.parametrize("content", ["{", "[]", '{"x": 3}', "\x00", "[" * 100_000])
def test_a_damaged_memory_costs_time_only(file, tmp_path, content):
    path, entry, reads = file
    memory = tmp_path / "cache" / "verified.json"
    memory.write_text(content)
    catalogue.confirm(entry, path)
    assert len(reads) == 1
    assert list(json.loads(memory.read_text())) == [str(path)]


def test_an_unwritable_memory_costs_time_only(file, tmp_path, monkeypatch):
    path, entry, reads = file
    (tmp_path / "cache" / "verified.json").mkdir()
    for _ in range(2):
        monkeypatch.setattr(verified, "_remembered", {})
        catalogue.confirm(entry, path)
    assert len(reads) == 2


def test_a_missing_file_says_so(tmp_path, file):
    with pytest.raises(SwapError, match="cannot be read: No such file"):
        catalogue.confirm(file[1], tmp_path / "none.json")


def test_an_archive_of_images_is_the_original(file, tmp_path):
    path = tmp_path / "cache" / "images" / "cifar-10-python.tar.gz"
    path.parent.mkdir()
    path.write_bytes(b"changed")
    with pytest.raises(SwapError, match=r"cifar-10-python\.tar\.gz is not cifar10: its sha256"):
        inputs.load("cifar10", samples=1)
    with pytest.raises(SwapError, match="cannot be read as a tar archive"):
        inputs.load("cifar10", samples=1, path=path)  # a user's own
