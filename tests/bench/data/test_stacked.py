"""Stacked MNIST from a small stand-in for MNIST: three digits an image, the label their number, held-out ones apart."""

from pathlib import Path

import pytest
import torch

from lipbench.bench.data import Dataset, load
from lipbench.bench.data.stacked import stacked
from lipbench.objectives.errors import Missing

N, HELD = 40, 12


@pytest.fixture
def digits() -> Dataset:
    """Every image has one grey level, from which its place is known; held-out ones are brighter."""
    train, test = (torch.arange(n, dtype=torch.uint8).reshape(n, 1, 1, 1).expand(n, 1, 28, 28) for n in (N, HELD))
    labels, held = torch.arange(N) % 7, torch.arange(HELD) % 5
    return Dataset("mnist", (1, 28, 28), train, test + 100, labels, None, "mnist-cnn", "a test", test_labels=held)


@pytest.fixture
def data(digits: Dataset) -> Dataset:
    return stacked(digits)


def test_stacked_mnist_is_made_of_mnists_files(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=f"^mnist: there is no folder {tmp_path}/absent"):
        load("stacked-mnist", tmp_path / "absent")


def test_stacked_mnist_puts_each_digit_once_into_each_colour(data: Dataset) -> None:
    assert data.train is not None and data.test is not None
    assert data.train.shape == (N, 3, 28, 28)
    places, held = data.train[:, :, 0, 0].long(), data.test[:, :, 5, 5].long()
    assert [sorted(column.tolist()) for column in places.T] == [list(range(N))] * 3
    assert [sorted(column.tolist()) for column in held.T] == [list(range(100, 100 + HELD))] * 3
    assert (places[:, 0] != places[:, 1]).any() and (places[:, 1] != places[:, 2]).any()


def test_stacked_mnist_label_is_the_digits_read_as_a_number(data: Dataset) -> None:
    assert data.train is not None and data.labels is not None
    red, green, blue = (data.train[:, :, 0, 0].long() % 7).T
    assert data.labels.tolist() == [int(f"{r}{g}{b}") for r, g, b in zip(red, green, blue, strict=True)]
    assert data.test is not None and data.test_labels is not None
    red, green, blue = ((data.test[:, :, 0, 0].long() - 100) % 5).T
    assert data.test_labels.tolist() == [int(f"{r}{g}{b}") for r, g, b in zip(red, green, blue, strict=True)]


def test_stacked_mnist_is_the_same_always_and_draws_from_no_global_stream(digits: Dataset) -> None:
    state = torch.get_rng_state()
    first, second = stacked(digits), stacked(digits)
    assert torch.equal(state, torch.get_rng_state())
    assert first.train is not None and second.train is not None
    assert torch.equal(first.train, second.train)
