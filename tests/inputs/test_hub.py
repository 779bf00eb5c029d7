"""Images through HuggingFace datasets: a local data set, and no network."""

from __future__ import annotations

import sys

import pytest
from PIL import Image

from naslib_swap import inputs
from naslib_swap.errors import SwapError
from naslib_swap.inputs import hub


@pytest.fixture
def local_set(tmp_path):
    pytest.importorskip("datasets")
    for name, value in (("ants", 0), ("bees", 255)):
        (tmp_path / "train" / name).mkdir(parents=True)
        for index in range(3):
            picture = Image.new("RGB", (8, 8), (value,) * 3)
            picture.save(tmp_path / "train" / name / f"{index}.png")
    return tmp_path


def test_a_local_set_streams_in_order(local_set):
    batch = inputs.load(f"hf:{local_set}", samples=4, shape=(3, 8, 8))
    assert batch.images.shape == (4, 3, 8, 8)
    assert batch.labels.tolist() == [0, 0, 0, 1]
    assert batch.labels_are_real
    assert batch.images[0].max() < 0 < batch.images[3].min()


def test_a_named_set_takes_its_statistics(local_set):
    batch = inputs.load("cifar10", samples=1, shape=(3, 8, 8), path=f"hf:{local_set}")
    assert batch.images[0, 0, 0, 0].item() == pytest.approx(-0.4914 / 0.2470, abs=1e-5)


def test_random_order_is_seeded(local_set):
    orders = [
        inputs.load(
            f"hf:{local_set}", samples=6, shape=(3, 8, 8), order="random", seed=seed
        ).labels.tolist()
        for seed in (0, 0, 1, 2, 3)
    ]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) > 1


def test_too_few_images(local_set):
    with pytest.raises(SwapError, match="holds 6 training images; 7 were asked for"):
        inputs.load(f"hf:{local_set}", samples=7, shape=(3, 8, 8))


def test_what_cannot_be_read_names_the_alternatives(tmp_path):
    pytest.importorskip("datasets")
    with pytest.raises(
        SwapError, match=r"could not be read from the HuggingFace hub .*path=.*'natural'"
    ):
        inputs.load(f"hf:{tmp_path / 'none'}", samples=1)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SwapError, match="pip install datasets"):
        inputs.load("hf:uoft-cs/cifar10", samples=1)


@pytest.mark.parametrize("whole", [False, True])
def test_a_data_set_that_was_saved(tmp_path, whole):
    datasets = pytest.importorskip("datasets")
    pictures = [Image.new("RGB", (8, 8), (value,) * 3) for value in (0, 255)]
    kept = datasets.Dataset.from_dict(
        {"photo": pictures}, features=datasets.Features({"photo": datasets.Image()})
    )
    (datasets.DatasetDict(train=kept) if whole else kept).save_to_disk(tmp_path / "kept")
    assert hub.is_saved(str(tmp_path / "kept"))
    batch = inputs.load(f"hf:{tmp_path / 'kept'}", samples=2, shape=(3, 8, 8))
    assert batch.images[0].max() < 0 < batch.images[1].min()


def test_columns_are_found_by_what_is_in_them():
    picture = Image.new("RGB", (2, 2))
    assert hub.pictures_in([{"id": "a", "photo": picture, "image": picture}]) == "image"
    assert hub.pictures_in([{"id": "a", "photo": picture}]) == "photo"
    assert hub.pictures_in([{"id": "a"}]) is None
    assert hub.texts_of([{"label": 3, "note": "b", "text": "c"}], "set") == ["c"]
    assert hub.texts_of([{"label": 3, "note": "b"}, {"label": 1, "note": None}], "set") == ["b", ""]
    with pytest.raises(SwapError, match="hf:set: expected a column of pictures or texts, found"):
        hub.texts_of([{"label": 3}], "set")
