"""Stacked MNIST: three digits as the colours of one image, so that 1,000 modes can be counted. No counting here."""

from pathlib import Path

import torch
from torch import Tensor

from .dataset import Dataset
from .idx import MNIST, load_idx

SEED = 0  # the set is one and the same, whatever the seed of a run


def stacked_mnist(data_dir: Path | None = None) -> Dataset:
    """Stacked MNIST (Metz et al. 2017; Srivastava et al. 2017): 1,000 modes, three MNIST digits as red, green and blue.

    60,000 images to train on and 10,000 held out: each digit of MNIST's sets occurs once in each colour. The label,
    0 … 999, is the digits read as a number.
    """
    return stacked(load_idx(MNIST, data_dir))


def stacked(digits: Dataset) -> Dataset:
    """Of these grey digits, which have a test set and labels: each digit once in each colour, labels from 0 to 999."""
    assert digits.train is not None and digits.test is not None and digits.labels is not None
    rng = torch.Generator().manual_seed(SEED)
    order = _orders(len(digits.train), rng)
    train, labels = _stack(digits.train, order), _read(digits.labels, order)
    order = _orders(len(digits.test), rng)
    assert digits.test_labels is not None
    test, held_out = _stack(digits.test, order), _read(digits.test_labels, order)
    source = "Stacked MNIST (Srivastava et al. 2017, arXiv:1705.07761), made from MNIST (LeCun et al. 1998)"
    return Dataset("stacked-mnist", (3, 28, 28), train, test, labels, None, "mnist-cnn", source, test_labels=held_out)


def _read(labels: Tensor, order: Tensor) -> Tensor:
    """The three digits as a number."""
    return (labels[order] * torch.tensor([100, 10, 1])).sum(dim=1)


def _orders(n: int, rng: torch.Generator) -> Tensor:
    """[n, 3]: a permutation of the n images for each colour."""
    return torch.stack([torch.randperm(n, generator=rng) for _ in range(3)], dim=1)


def _stack(images: Tensor, order: Tensor) -> Tensor:
    """Grey images [N, 1, H, W] as colours [n, 3, H, W], in the order [n, 3]."""
    return images[order].squeeze(2)
