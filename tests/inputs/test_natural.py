"""Natural crops and noise: images that need no files."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from naslib_swap import inputs
from naslib_swap.errors import SwapError
from naslib_swap.inputs import fitting, natural


def test_shape_types_and_digest():
    batch = inputs.load("natural", samples=5, num_classes=7, seed=3)
    assert batch.images.shape == (5, 3, 32, 32)
    assert batch.images.dtype == torch.float32
    assert batch.labels.shape == (5,)
    assert batch.labels.dtype == torch.int64
    assert set(batch.labels.tolist()) <= set(range(7))
    assert (batch.source, batch.labels_are_real) == ("natural", False)
    assert batch.digest == hashlib.sha256(batch.images.numpy().tobytes()).hexdigest()[:16]


def test_a_crop_is_a_block_mean_of_a_photograph():
    """Reduction by 8 averages 8 x 8 blocks, up to the rounding of rows and of columns."""
    (crop,) = natural.natural_crops(1, fitting.layout((3, 32, 32)), seed=0)
    matches = 0
    for photo in natural.photographs():
        windows = np.lib.stride_tricks.sliding_window_view(photo[..., 0], (8, 8))
        means = windows.mean(axis=(2, 3))
        near = np.abs(means[:172, :385] - crop[0, 0, 0]) <= 1
        for y, x in np.argwhere(near):
            matches += np.abs(means[y::8, x::8][:32, :32] - crop[..., 0]).max() <= 1
    assert matches == 1


def test_normalised_by_the_photographs_own_statistics():
    statistics = natural.statistics()
    pixels = np.concatenate([photo.reshape(-1, 3) for photo in natural.photographs()])
    whole = fitting.normalised(pixels.reshape(1, -1, 1, 3), statistics)
    np.testing.assert_allclose(whole.mean(axis=(0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(whole.std(axis=(0, 2, 3)), 1, atol=1e-4)


def test_normalisation_by_hand():
    image = np.array([[[[0, 51, 255]]]], dtype=np.uint8)
    statistics = fitting.Statistics((0.5, 0.2, 0.0), (0.5, 0.1, 2.0))
    np.testing.assert_allclose(
        fitting.normalised(image, statistics).ravel(), [-1.0, 0.0, 0.5], atol=1e-6
    )


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), few=st.integers(1, 6), more=st.integers(0, 6))
def test_deterministic_different_and_a_prefix_of_larger_batches(seed, few, more):
    small = inputs.load("natural", samples=few, seed=seed)
    large = inputs.load("natural", samples=few + more, seed=seed)
    assert torch.equal(small.images, large.images[:few])
    assert torch.equal(small.labels, large.labels[:few])
    assert len({image.numpy().tobytes() for image in large.images}) == few + more
    assert inputs.load("natural", samples=few, seed=seed).digest == small.digest
    assert inputs.load("natural", samples=few, seed=seed + 1).digest != small.digest


def test_global_random_state_is_left_alone():
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    inputs.load("natural", samples=4, shape=(9, 3, 8, 8))
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    "shape", [(3, 224, 224), (3, 16, 16), (1, 28, 28), (3, 8, 20), (3, 300, 500), (3, 1, 1)]
)
def test_any_shape(shape):
    batch = inputs.load("natural", samples=3, shape=shape)
    assert batch.images.shape == (3, *shape)
    assert torch.isfinite(batch.images).all()


def test_one_channel_is_the_mean_of_three():
    colour = inputs.load("natural", samples=2).images
    grey = inputs.load("natural", samples=2, shape=(1, 32, 32)).images
    torch.testing.assert_close(grey, colour.mean(dim=1, keepdim=True))


def test_jigsaw_patches_are_those_of_the_whole_crop_in_another_order():
    whole = inputs.load("natural", samples=4, shape=(3, 192, 192), seed=5).images
    cut = inputs.load("natural", samples=4, shape=(9, 3, 64, 64), seed=5).images
    assert cut.shape == (4, 9, 3, 64, 64)
    orders = []
    for image, patches in zip(whole, cut):
        tiles = {
            image[:, 64 * row : 64 * row + 64, 64 * column : 64 * column + 64].numpy().tobytes(): (
                3 * row + column
            )
            for row in range(3)
            for column in range(3)
        }
        orders.append([tiles[patch.numpy().tobytes()] for patch in patches])
        assert sorted(orders[-1]) == list(range(9))
    assert len({tuple(order) for order in orders}) > 1


def test_too_many_crops():
    with pytest.raises(SwapError, match=r"hold 132440 different crops of 256x256 pixels"):
        inputs.load("natural", samples=200_000)


def test_noise_warns_and_is_normal():
    with pytest.warns(UserWarning, match=r"costs 0\.2 of rank correlation"):
        batch = inputs.load("noise", samples=16)
    assert abs(batch.images.mean().item()) < 0.02
    assert abs(batch.images.std().item() - 1) < 0.02
    assert not batch.labels_are_real


def test_natural_does_not_warn(recwarn):
    inputs.load("natural", samples=2)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "mnist"}, "unknown source of images 'mnist': expected one of natural, cifar10"),
        ({"samples": 0}, "samples=0: expected a whole number of at least 1"),
        ({"samples": 2.5}, "samples=2.5"),
        ({"seed": -1}, "seed=-1: expected a whole number of at least 0"),
        ({"num_classes": 0}, "num_classes=0: expected at least 1"),
        ({"order": "last"}, "order='last': expected 'first' or 'random'"),
        ({"path": "x.npz"}, "source 'natural' reads no file"),
        ({"shape": (32, 32)}, r"input shape \(32, 32\): expected \(channels, height, width\)"),
        ({"shape": (3, 0, 32)}, "all at least 1"),
        ({"shape": (4, 32, 32)}, "4 channels; images have 3, or 1 as grey"),
        ({"shape": (8, 3, 64, 64)}, "8 patches; expected a square such as 9"),
    ],
)
def test_bad_requests(arguments, message):
    with pytest.raises(SwapError, match=message):
        inputs.load(**{"source": "natural", "samples": 2, **arguments})
