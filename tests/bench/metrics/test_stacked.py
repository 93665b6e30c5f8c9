"""Modes of stacked MNIST: read off real digits, counted, and their spread against closed forms."""

import math

import pytest
import torch
from torch import Tensor

from lipbench.bench.data import load
from lipbench.bench.data.dataset import as_float
from lipbench.bench.metrics.stacked import StackedModes


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Images [N, 1, 28, 28] in [-1, 1] that were held out, and which digit is on each."""
    data = load("mnist5k")
    assert data.train is not None and data.labels is not None
    return as_float(data.train), data.labels


def picture(digits: tuple[Tensor, Tensor], number: str) -> Tensor:
    """[3, 28, 28]: the first of each digit, as red, green and blue."""
    images, labels = digits
    return torch.cat([images[labels == int(digit)][0] for digit in number])


def test_stacked_modes_reads_red_green_and_blue_as_a_number(digits: tuple[Tensor, Tensor]) -> None:
    numbers = ["123", "705", "000", "999", "321", "046"]
    images = torch.stack([picture(digits, number) for number in numbers])
    assert StackedModes(6).modes(images).tolist() == [int(number) for number in numbers]


def test_stacked_modes_counts_modes_and_their_divergence_from_even(digits: tuple[Tensor, Tensor]) -> None:
    numbers = ["123", "123", "123", "705", "999"]
    images = torch.stack([picture(digits, number) for number in numbers])
    found = StackedModes(4)(images)  # of the first four alone
    assert found["modes"] == 2
    expected = 0.75 * math.log(0.75 * 1000) + 0.25 * math.log(0.25 * 1000)
    assert found["mode_kl"] == pytest.approx(expected, abs=1e-9)


def test_stacked_modes_leaves_out_images_that_are_not_finite(digits: tuple[Tensor, Tensor]) -> None:
    images = torch.stack([picture(digits, number) for number in ("123", "705")])
    images[0, 2, 3, 4] = math.nan
    assert StackedModes(2)(images) == {"modes": 1, "mode_kl": pytest.approx(math.log(1000))}
    assert StackedModes(1)(images) == {"modes": 0, "mode_kl": pytest.approx(math.log(1000))}


def test_stacked_modes_of_real_digits_are_hundreds(digits: tuple[Tensor, Tensor]) -> None:
    images, labels = digits
    order = torch.stack([torch.randperm(len(images), generator=torch.Generator().manual_seed(i)) for i in range(3)])
    stacks, truth = torch.cat([images[o] for o in order], dim=1), (labels[order].T * torch.tensor([100, 10, 1])).sum(1)
    metric = StackedModes(len(images))
    assert (metric.modes(stacks) == truth).float().mean() > 0.97
    assert metric(stacks)["modes"] == pytest.approx(len(truth.unique()), abs=15)


def test_stacked_modes_tells_its_protocol() -> None:
    protocol = StackedModes(77).protocol
    assert protocol["modes"] == protocol["mode_kl"]
    assert (protocol["modes"]["classifier"], protocol["modes"]["n_fake"]) == ("mnist-cnn", 77)
