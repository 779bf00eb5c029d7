"""The original pickled batches, written as Python 2 wrote them and as Python 3 does."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
from contextlib import suppress

import numpy as np
import pytest

from naslib_swap import inputs
from naslib_swap.errors import SwapError

RNG = np.random.default_rng(1)


def _batch(images, labels, key=b"labels"):
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return pickle.dumps({b"data": rows, key: labels, b"batch_label": b"training"}, protocol=2)


def _python2_batch(images, labels):
    """The opcodes that Python 2's cPickle wrote: byte strings, integers for booleans."""

    def text(value):
        raw = value.encode("latin1") if isinstance(value, str) else value
        if len(raw) < 256:
            return b"U" + struct.pack("<B", len(raw)) + raw
        return b"T" + struct.pack("<i", len(raw)) + raw

    def number(value):
        return b"J" + struct.pack("<i", value)

    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    dtype = (
        b"cnumpy\ndtype\n(" + text("u1") + number(0) + number(1) + b"tR"
        b"(" + number(3) + text("|") + b"NNN" + number(-1) * 2 + number(0) + b"tb"
    )
    shape = b"(" + number(rows.shape[0]) + number(rows.shape[1]) + b"t"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n("
        + number(0)
        + b"t"
        + text("b")
        + b"tR("
        + number(1)
        + shape
        + dtype
        + b"\x89"
        + text(rows.tobytes())
        + b"tb"
    )
    listed = b"](" + b"".join(number(label) for label in labels) + b"e"
    return b"\x80\x02}(" + text("data") + array + text("labels") + listed + b"u."


def _images(count, side=32):
    return RNG.integers(256, size=(count, side, side, 3), dtype=np.uint8)


def _pixels(batch, mean, std):
    restored = batch.images.numpy().transpose(0, 2, 3, 1) * np.array(std) + np.array(mean)
    return np.rint(restored * 255).astype(np.uint8)


CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
IMAGENET16 = ((0.4811, 0.4575, 0.4079), (0.2479, 0.2402, 0.2553))


@pytest.mark.parametrize("write", [_batch, _python2_batch])
def test_cifar10_folder(tmp_path, write, recwarn):
    images = _images(6)
    (tmp_path / "data_batch_1").write_bytes(write(images[:4], [6, 9, 9, 4]))
    (tmp_path / "data_batch_2").write_bytes(write(images[4:], [1, 2]))
    batch = inputs.load("cifar10", samples=5, path=tmp_path)
    assert batch.labels.tolist() == [6, 9, 9, 4, 1]
    assert np.array_equal(_pixels(batch, *CIFAR10), images[:5])
    assert not recwarn.list


def test_a_single_batch_file(tmp_path):
    images = _images(3)
    (tmp_path / "data_batch_1").write_bytes(_batch(images, [0, 1, 2]))
    batch = inputs.load("cifar10", samples=3, path=tmp_path / "data_batch_1")
    assert np.array_equal(_pixels(batch, *CIFAR10), images)


def test_an_archive_is_read_in_the_order_of_the_training_set(tmp_path):
    """The real archive holds data_batch_4 first."""
    images, path = _images(4), tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for number in (2, 1):
            content = _batch(images[2 * number - 2 : 2 * number], [number, number])
            member = tarfile.TarInfo(f"cifar-10-batches-py/data_batch_{number}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    batch = inputs.load("cifar10", samples=3, path=path)
    assert batch.labels.tolist() == [1, 1, 2]
    assert np.array_equal(_pixels(batch, *CIFAR10), images[:3])


def test_cifar100_takes_the_fine_labels(tmp_path):
    (tmp_path / "train").write_bytes(_batch(_images(2), [19, 99], key=b"fine_labels"))
    batch = inputs.load("cifar100", samples=2, num_classes=100, path=tmp_path)
    assert batch.labels.tolist() == [19, 99]


def test_imagenet16_keeps_the_first_120_classes(tmp_path):
    images = _images(4, side=16)
    (tmp_path / "train_data_batch_1").write_bytes(_batch(images, [121, 1, 1000, 120]))
    (tmp_path / "train_data_batch_2").write_bytes(_batch(images[:1], [2]))
    batch = inputs.load(
        "imagenet16-120", samples=3, shape=(3, 16, 16), num_classes=120, path=tmp_path
    )
    assert batch.labels.tolist() == [0, 119, 1]
    assert np.array_equal(_pixels(batch, *IMAGENET16), images[[1, 3, 0]])


def test_random_order_draws_from_all_batches(tmp_path):
    for number in (1, 2):
        (tmp_path / f"data_batch_{number}").write_bytes(_batch(_images(20), [number] * 20))
    batch = inputs.load("cifar10", samples=20, path=tmp_path, order="random", seed=0)
    assert set(batch.labels.tolist()) == {1, 2}


class _Evil:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return open, (self.marker, "w")


def test_a_foreign_pickle_is_refused_and_nothing_runs(tmp_path):
    marker = tmp_path / "marker"
    (tmp_path / "data_batch_1").write_bytes(
        pickle.dumps({b"data": _Evil(marker), b"labels": [1]}, protocol=2)
    )
    with pytest.raises(SwapError, match=r"data_batch_1 is refused: its pickle asks for \w+\.open"):
        inputs.load("cifar10", samples=1, path=tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_batch(_images(2), [1, 2])[:500], "cannot be read: it is truncated or no pickle"),
        (b"", "truncated or no pickle"),
        (pickle.dumps([1]), "expected a dict with data and labels, found list"),
        (pickle.dumps({"data": 1}), "expected the entries data and labels .* found data"),
        (
            pickle.dumps({"data": [[1, 2]], "labels": [1]}),
            r"expected an array of numbers, or a list of whole numbers, found \[\[1, 2\]\]",
        ),
        (_batch(_images(2), [1]), r"labels int64 \(1,\)"),
    ],
)
def test_bad_batches(tmp_path, content, message):
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(SwapError, match=message):
        inputs.load("cifar10", samples=1, path=tmp_path)


def test_a_gap_between_batches(tmp_path):
    for number in (1, 3):
        (tmp_path / f"data_batch_{number}").write_bytes(_batch(_images(1), [0]))
    with pytest.raises(SwapError, match="batches are missing between data_batch_1"):
        inputs.load("cifar10", samples=2, path=tmp_path)


def test_damaged_archives(tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(SwapError, match="cannot be read as a tar archive"):
        inputs.load("cifar10", samples=1, path=path)
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("readme.html"))
    with pytest.raises(SwapError, match=r"holds no training batch: .* found readme\.html"):
        inputs.load("cifar10", samples=1, path=path)


def _tar(path, *members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def _link(kind, target):
    member = tarfile.TarInfo("data_batch_1")
    member.type, member.linkname = kind, target
    return member, b""


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_links_loops_and_devices_in_archives(tmp_path, kind):
    path = _tar(tmp_path / "a.tar", _link(kind, "data_batch_1"))
    with pytest.raises(SwapError, match="data_batch_1 is no file"):
        inputs.load(path, samples=1)


def test_a_sparse_member_that_claims_much(tmp_path):
    member = tarfile.TarInfo("data_batch_1")
    member.size = 1 << 40
    (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(SwapError, match=r"a\.tar .*holds more than|has 1,099,511,627,776 bytes"):
        inputs.load(tmp_path / "a.tar", samples=1)


def test_an_archive_beyond_the_budget(tmp_path, monkeypatch):
    monkeypatch.setattr("naslib_swap.inputs.batches._MOST_ARCHIVED", 100_000)
    path = _tar(tmp_path / "a.tar.gz", (tarfile.TarInfo("x"), bytes(200_000)), mode="w:gz")
    assert path.stat().st_size < 1000
    with pytest.raises(
        SwapError, match="holds more than 100,000 bytes; no archive of batches does"
    ):
        inputs.load(path, samples=1)


def test_an_archive_of_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr("naslib_swap.inputs.batches._MOST_MEMBERS", 3)
    path = _tar(tmp_path / "a.tar", *((tarfile.TarInfo(f"x{i}"), b"") for i in range(4)))
    with pytest.raises(SwapError, match="holds more than 3 files"):
        inputs.load(path, samples=1)


def test_every_damage_of_a_compressed_archive_is_one_line(tmp_path):
    member = tarfile.TarInfo("data_batch_1")
    content = _batch(RNG.integers(0, 256, (1, 4, 4, 3), dtype=np.uint8), [1])
    good = _tar(tmp_path / "a.tar.gz", (member, content), mode="w:gz").read_bytes()
    for position in range(0, len(good), 5):
        changed = good[:position] + bytes([good[position] ^ 0xFF]) + good[position + 1 :]
        (tmp_path / "a.tar.gz").write_bytes(changed)
        with suppress(SwapError):  # nothing else may be raised
            inputs.load(tmp_path / "a.tar.gz", samples=1, shape=(3, 4, 4))


@pytest.mark.parametrize(
    "labels", [["a"], [1.5], [[1]], [10**30], {"a": 1}, "1", [True], np.array([1.5])]
)
def test_labels_that_are_no_whole_numbers(tmp_path, labels):
    (tmp_path / "data_batch_1").write_bytes(_batch(_images(1), labels))
    with pytest.raises(SwapError, match="whole numbers"):
        inputs.load(tmp_path, samples=1)


def test_images_without_pixels(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(_batch(np.zeros((1, 0, 0, 3), np.uint8), [1]))
    with pytest.raises(SwapError, match=r"found data uint8 \(1, 0\)"):
        inputs.load(tmp_path, samples=1)
