"""Images from files: .npz arrays, folders of pictures, and what is wrong with them."""

from __future__ import annotations

import struct
import zipfile
import zlib
from contextlib import suppress

import numpy as np
import pytest
import torch
from PIL import Image

from naslib_swap import inputs
from naslib_swap.errors import SwapError
from naslib_swap.ground_truth import catalogue

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(256, size=(6, 16, 16, 3), dtype=np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9])


def _npz(tmp_path, **arrays):
    path = tmp_path / "images.npz"
    np.savez(path, **arrays)
    return path


def _expected(pixels, mean, std):
    scaled = pixels / 255.0
    return torch.tensor(((scaled - mean) / std).transpose(0, 3, 1, 2), dtype=torch.float32)


def test_npz_in_order_with_labels(tmp_path):
    path = _npz(tmp_path, images=PIXELS, labels=LABELS)
    batch = inputs.load("cifar10", samples=4, shape=(3, 16, 16), path=path)
    wanted = _expected(PIXELS[:4], (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
    torch.testing.assert_close(batch.images, wanted, atol=1e-5, rtol=1e-5)
    assert batch.labels.tolist() == [3, 1, 4, 1]
    assert (batch.source, batch.labels_are_real) == ("cifar10", True)


def test_a_bare_path_is_normalised_as_imagenet(tmp_path):
    path = _npz(tmp_path, images=PIXELS)
    batch = inputs.load(path, samples=6, shape=(3, 16, 16))
    wanted = _expected(PIXELS, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    torch.testing.assert_close(batch.images, wanted, atol=1e-5, rtol=1e-5)
    assert (batch.source, batch.labels_are_real) == (str(path), False)


def test_random_order_is_seeded_and_without_repeats(tmp_path):
    path = _npz(tmp_path, images=PIXELS, labels=np.arange(6))
    orders = [
        inputs.load(path, samples=6, shape=(3, 16, 16), order="random", seed=seed).labels.tolist()
        for seed in (1, 1, 2)
    ]
    assert sorted(orders[0]) == list(range(6))
    assert orders[0] == orders[1] != orders[2]


def test_floats_are_read_as_they_are(tmp_path):
    halves = np.full((2, 4, 4, 3), 0.485, dtype=np.float32)
    batch = inputs.load(_npz(tmp_path, images=halves), samples=2, shape=(3, 4, 4))
    assert batch.images[:, 0].abs().max() < 1e-6


def test_larger_images_are_reduced_and_cut_at_the_centre(tmp_path):
    wide = np.zeros((1, 8, 16, 3), dtype=np.uint8)
    wide[:, :, 4:12] = 255
    batch = inputs.load(_npz(tmp_path, images=wide), samples=1, shape=(3, 4, 4))
    white = _expected(np.full((1, 4, 4, 3), 255), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    torch.testing.assert_close(batch.images, white, atol=1e-5, rtol=1e-5)


def test_an_image_folder_has_a_class_for_each_subfolder(tmp_path):
    for name, value in (("ants", 10), ("bees", 200)):
        (tmp_path / name).mkdir()
        for index in range(2):
            Image.new("RGB", (8, 8), (value + index,) * 3).save(tmp_path / name / f"{index}.png")
    (tmp_path / "ants" / "notes.txt").write_text("no picture")
    batch = inputs.load(tmp_path, samples=4, shape=(3, 8, 8))
    assert batch.labels.tolist() == [0, 0, 1, 1]
    reds = (batch.images[:, 0, 0, 0] * 0.229 + 0.485) * 255
    torch.testing.assert_close(reds, torch.tensor([10.0, 11, 200, 201]), atol=1e-3, rtol=0)


def test_a_train_folder_and_grey_pictures(tmp_path):
    (tmp_path / "train" / "only").mkdir(parents=True)
    Image.new("L", (9, 8), 7).save(tmp_path / "train" / "only" / "a.JPEG")
    assert inputs.load(tmp_path, samples=1, shape=(3, 8, 8)).images.shape == (1, 3, 8, 8)


def test_a_flat_folder_and_a_single_picture_have_no_labels(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    for place in (tmp_path, tmp_path / "a.png"):
        assert not inputs.load(place, samples=1, shape=(3, 8, 8)).labels_are_real


def _bad_npz(**arrays):
    return lambda folder: _npz(folder, **arrays)


def _truncated(folder):
    path = _npz(folder, images=PIXELS)
    path.write_bytes(path.read_bytes()[:200])
    return path


def _objects(folder):
    return _npz(folder, images=np.array([{"a": 1}], dtype=object))


def _text(folder):
    path = folder / "images.txt"
    path.write_text("hello")
    return path


def _empty_folder(folder):
    return folder


def _broken_picture(folder):
    (folder / "a.png").write_bytes(b"no picture")
    return folder


def _nan():
    floats = np.zeros((2, 16, 16, 3))
    floats[1, 2, 3, 0] = np.nan
    return floats


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_bad_npz(images=PIXELS[:1]), "holds 1 images; 2 were asked for"),
        (_bad_npz(pictures=PIXELS), "needs an array `images`, found pictures"),
        (_bad_npz(images=PIXELS[..., 0]), r"`images` is uint8 \(6, 16, 16\); expected uint8"),
        (_bad_npz(images=PIXELS.astype(np.int64)), r"`images` is int64"),
        (_bad_npz(images=PIXELS * 1.0), "expected floats in \\[0, 1\\], or uint8"),
        (_bad_npz(images=_nan()), r"1 of 2 images hold NaN or infinite pixels .*image 1\)"),
        (_bad_npz(images=PIXELS, labels=LABELS[:3]), r"`labels` is int64 \(3,\)"),
        (_bad_npz(images=PIXELS, labels=LABELS + 0.5), "`labels` is float64"),
        (_bad_npz(images=PIXELS, labels=LABELS + 90), "labels lie between 91 and 93"),
        (_bad_npz(images=PIXELS[:, :8]), "an image is 8x16 pixels, .* asks for 16x16"),
        (_bad_npz(images=np.zeros((2, 32, 32, 3))), "only uint8 images are reduced"),
        (_truncated, "cannot be read as .npz"),
        (_objects, r"'\|O' is no plain type of number"),
        (_text, "is of no known kind; expected an .npz"),
        (_empty_folder, "holds no pictures"),
        (_broken_picture, "cannot be read as a picture|holds 1 images"),
        (lambda folder: folder / "none.npz", "unknown source of images .*none.npz"),
    ],
)
def test_bad_files(tmp_path, make, message):
    with pytest.raises(SwapError, match=message):
        inputs.load(make(tmp_path), samples=2, shape=(3, 16, 16), num_classes=10)


def test_a_broken_picture(tmp_path):
    with pytest.raises(SwapError, match=r"a\.png cannot be read as a picture"):
        inputs.load(_broken_picture(tmp_path), samples=1)


def test_a_missing_path_of_a_named_set(tmp_path):
    with pytest.raises(SwapError, match="there is no file or folder"):
        inputs.load("cifar10", samples=2, path=tmp_path / "none")


def test_a_set_that_is_nowhere_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv(catalogue.DATA_VARIABLE, raising=False)
    monkeypatch.setenv(catalogue.CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(
        SwapError,
        match=r"cifar10 images were not found: .*NASLIB_SWAP_DATA.*data fetch cifar10.*"
        r"hf:uoft-cs/cifar10.*'natural'",
    ):
        inputs.load("cifar10", samples=2)


def test_cifar10_is_never_taken_from_a_cifar100_file(tmp_path, monkeypatch):
    monkeypatch.setenv(catalogue.DATA_VARIABLE, str(tmp_path))
    monkeypatch.setenv(catalogue.CACHE_VARIABLE, str(tmp_path / "cache"))
    np.savez(tmp_path / "cifar100_sample.npz", images=PIXELS)
    with pytest.raises(SwapError, match="cifar10 images were not found"):
        inputs.load("cifar10", samples=2)


@pytest.mark.data
def test_the_real_first_cifar10_images(data_dir):
    """The labels of the first training images: frog, truck, truck, deer, ..."""
    batch = inputs.load("cifar10", samples=8)
    assert batch.labels.tolist() == [6, 9, 9, 4, 1, 1, 2, 7]
    assert batch.labels_are_real
    first = (batch.images[0, :, 0, 0] * torch.tensor([0.2470, 0.2435, 0.2616])) + torch.tensor(
        [0.4914, 0.4822, 0.4465]
    )
    torch.testing.assert_close(first * 255, torch.tensor([59.0, 62.0, 63.0]), atol=1e-3, rtol=0)


@pytest.mark.data
@pytest.mark.parametrize(
    ("source", "shape", "classes"),
    [
        ("cifar100", (3, 32, 32), 100),
        ("imagenet16-120", (3, 16, 16), 120),
        ("ImageNet16-120", (3, 16, 16), 120),
        ("imagenet", (3, 224, 224), 1000),
        ("imagenet", (9, 3, 64, 64), 1000),
    ],
)
def test_the_other_real_sets(data_dir, source, shape, classes):
    batch = inputs.load(source, samples=16, shape=shape, num_classes=classes)
    assert batch.images.shape == (16, *shape)
    assert 0.4 < batch.images.std().item() < 2
    assert batch.source == source.lower()
    with pytest.raises(SwapError, match=f"num_classes is {3}"):
        inputs.load(source, samples=16, shape=shape, num_classes=3)


def _classes(folder):
    for label in (0, 1):
        (folder / f"class{label}").mkdir()
        for n in (0, 1):
            Image.new("RGB", (8, 8), (50 * label + n,) * 3).save(
                folder / f"class{label}" / f"{n}.png"
            )


def test_hidden_folders_and_files_shift_no_labels(tmp_path):
    _classes(tmp_path)
    clean = inputs.load(tmp_path, samples=4, shape=(3, 8, 8))
    for name in (".ipynb_checkpoints", ".git", "__MACOSX"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "class0" / "._0.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "class0" / "a.png").mkdir()
    found = inputs.load(tmp_path, samples=4, shape=(3, 8, 8))
    assert found.labels.tolist() == clean.labels.tolist() == [0, 0, 1, 1]
    assert found.digest == clean.digest


def _png_of(width, height):
    """A picture that claims its size and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", _png_of(14_000, 14_000), "cannot be read as a picture: .*pixels"),
        ("a.png", _png_of(10_000, 10_000), "it has 10000 x 10000 pixels, more than 67,108,864"),
        ("a.png", _png_of(2**31 - 1, 2**31 - 1), "cannot be read as a picture"),
        ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot identify"),
        ("a.ppm", b"P6\n", "cannot be read as a picture"),
        ("a.ppm", b"P6\n9999999999999999999999 1\n255\n", "cannot be read as a picture"),
        ("a.pgm", b"P5 4 x 255\n", "cannot be read as a picture"),
        ("a.tif", b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40, "cannot be read as a picture"),
        ("a.webp", b"RIFF\xff\xff\xff\xffWEBPVP8 ", "cannot be read as a picture"),
    ],
)
def test_pictures_that_lie(tmp_path, recwarn, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SwapError, match=message) as caught:
        inputs.load(tmp_path / name, samples=1, shape=(3, 4, 4))
    assert str(caught.value).isprintable()
    assert not [warning for warning in recwarn if "ecompression" in str(warning.message)]


def _npz_of(path, descr, shape, content, method=zipfile.ZIP_STORED):
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    with zipfile.ZipFile(path, "w", method) as archive:
        length = len(header).to_bytes(2, "little")
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + length + header + content)
    return path


@pytest.mark.parametrize(
    ("descr", "shape", "message"),
    [
        ("|u1", (2**40, 16, 16, 3), r"has 0 of the .* bytes that its shape asks for|has [\d,]+ of"),
        ("|u1", (2, 2**20, 2**20, 3), "more than the 4,294,967,296 that are read"),
        ("|u1", (2**62, 2**62, 2**62, 3), "is no shape of an array"),
        ("|u1", (-1, 16, 16, 3), "is no shape of an array"),
        ("<M8[ns]", (2, 16, 16, 3), "is no plain type of number"),
        ([("a", "<i8")], (2, 16, 16, 3), "is no plain type of number"),
        ("|u1", (), "images is a single number"),
    ],
)
def test_npz_whose_shape_lies(tmp_path, descr, shape, message):
    path = _npz_of(tmp_path / "a.npz", descr, shape, bytes(100))
    with pytest.raises(SwapError, match=rf"a\.npz cannot be read as \.npz: .*({message})"):
        inputs.load(path, samples=2, shape=(3, 16, 16))


def test_a_damaged_deflated_npz(tmp_path):
    path = _npz_of(
        tmp_path / "a.npz", "|u1", (2, 16, 16, 3), PIXELS[:2].tobytes(), zipfile.ZIP_DEFLATED
    )
    good = path.read_bytes()
    for position in range(30, len(good) - 80, 7):
        path.write_bytes(good[:position] + bytes([good[position] ^ 0xFF]) + good[position + 1 :])
        with suppress(SwapError):  # nothing else may be raised
            inputs.load(path, samples=2, shape=(3, 16, 16))


def test_only_the_wanted_images_of_an_array_are_read(tmp_path):
    images = np.zeros((6, 16, 16, 3), np.float32)
    images[4:] = 7  # outside of [0, 1]
    path = _npz(tmp_path, images=images, labels=np.arange(6))
    assert inputs.load(path, samples=4, shape=(3, 16, 16)).labels.tolist() == [0, 1, 2, 3]
    with pytest.raises(SwapError, match="expected floats in \\[0, 1\\]"):
        inputs.load(path, samples=5, shape=(3, 16, 16))


def test_an_array_in_fortran_order(tmp_path):
    path = _npz(tmp_path, images=np.asfortranarray(PIXELS))
    plain = inputs.load(_npz(tmp_path, images=PIXELS), samples=2, shape=(3, 16, 16)).digest
    _npz(tmp_path, images=np.asfortranarray(PIXELS))
    assert inputs.load(path, samples=2, shape=(3, 16, 16)).digest == plain


def test_an_unreadable_folder_is_one_line(tmp_path, monkeypatch):
    _classes(tmp_path)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("naslib_swap.inputs.files.os.scandir", refuse)
    with pytest.raises(SwapError, match="cannot be read: Permission denied"):
        inputs.load(tmp_path, samples=4, shape=(3, 8, 8))


def test_a_name_that_no_file_system_takes():
    with pytest.raises(SwapError, match="unknown source of images"):
        inputs.load("x" * 5000, samples=1)
