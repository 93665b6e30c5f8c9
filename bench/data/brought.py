"""Somebody's own data as a Dataset: tensors, arrays or torch data sets, checked. Opens no file."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from ...objectives.errors import BadInput
from .dataset import Dataset

LEAST_HELD_OUT = 8  # two halves, of which a quarter is measured too


def as_dataset(name: str, given: Any, about: str) -> Dataset:
    """What a function returned as the data set of that name.

    Args:
        name: of the data set; opens the message of a BadInput.
        given: (train, held out), and the labels of train, and those of the held-out ones: tensors, arrays, or two torch
            data sets whose items are samples or (sample, label); held out may be None. Points float [N, d]; images
            uint8 [N, C, H, W], or float in [-1, 1]. Or a Dataset, which may say what its modes are.
        about: one line on where they come from.

    Raises:
        BadInput: for anything else; with row and column of what is not finite.
    """
    if isinstance(given, Dataset):
        return replace(given, name=name)
    if not isinstance(given, list | tuple) or len(given) not in (2, 3, 4):
        raise BadInput(f"{name}: {type(given).__name__}: must be (train, held out) or (train, held out, labels)")
    read = [_tensors(part, f"{name}: {what}") for part, what in zip(given, PARTS, strict=False)]
    (train, test), labels = (part for part, _ in read), [own for _, own in read]
    if train is None:
        raise BadInput(f"{name}: train is None: must be samples")
    labels = [own if told is None else torch.as_tensor(told) for own, told in zip_longest(labels, given[2:])]
    _check(train, f"{name}: train", 2)
    if test is not None:
        _check_held_out(test, train, name)
    known, held_out = (_labels(*about, name) for about in zip(labels, (train, test), PARTS, strict=True))
    extractor = _extractor(train)
    return Dataset(name, tuple(train.shape[1:]), train, test, known, None, extractor, about, test_labels=held_out)


PARTS = ("train", "held out")


def content_of(data: Dataset) -> str:
    """A hash of all samples, and of the modes where they are known."""
    digest = hashlib.sha256(repr((data.shape, None if data.mixture is None else data.mixture.sigma)).encode())
    centres = None if data.mixture is None else data.mixture.centres
    for part in (data.train, data.test, data.labels, data.test_labels, centres):
        digest.update(b"\0" if part is None else part.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _extractor(train: Tensor) -> str | None:
    if train.dim() == 2:
        return None
    return "mnist-cnn" if train.shape[1] == 1 else "efficientnet-lite0"


def _tensors(part: Any, where: str) -> tuple[Tensor | None, Tensor | None]:
    """Samples and labels, if any."""
    if part is None:
        return None, None
    if isinstance(part, TorchDataset):
        return _items(part, where)
    try:
        found = torch.as_tensor(np.asarray(part) if isinstance(part, Sequence) else part)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadInput(f"{where}: {type(part).__name__}: must be a tensor, an array or a torch data set") from error
    if found.requires_grad:
        raise BadInput(f"{where}: requires a gradient: detach it")
    found = found.cpu()
    return (found.float() if found.dtype != torch.uint8 or found.dim() == 2 else found), None


def _items(part: "TorchDataset[Any]", where: str) -> tuple[Tensor, Tensor | None]:
    length = len(part) if hasattr(part, "__len__") else 0  # pyright: ignore[reportArgumentType]
    if not length:
        raise BadInput(f"{where}: a torch data set without a length, or an empty one")
    items = [part[i] for i in range(length)]
    within = isinstance(items[0], tuple | list)
    labelled = within and len(items[0]) > 1  # a TensorDataset of samples alone gives tuples of one
    try:
        samples = torch.stack([torch.as_tensor(item[0] if within else item) for item in items])
        labels = torch.tensor([int(item[1]) for item in items]) if labelled else None
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        raise BadInput(f"{where}: items must be tensors of one shape, or (tensor, label): {error}") from error
    found = _tensors(samples, where)[0]
    assert found is not None
    return found, labels


def _labels(labels: Tensor | None, part: Tensor | None, what: str, name: str) -> Tensor | None:
    if labels is None:
        return None
    if part is None or labels.shape != part.shape[:1] or labels.is_floating_point():
        raise BadInput(f"{name}: labels of shape {tuple(labels.shape)}: must be whole numbers, one for each in {what}")
    return labels.long()


def _check_held_out(test: Tensor, train: Tensor, name: str) -> None:
    _check(test, f"{name}: held out", LEAST_HELD_OUT)
    if test.shape[1:] != train.shape[1:] or test.dtype != train.dtype:
        both = f"{tuple(test.shape[1:])} {test.dtype} and {tuple(train.shape[1:])} {train.dtype}"
        raise BadInput(f"{name}: samples of train and held out differ: {both}")


def _check(part: Tensor, where: str, least: int) -> None:
    if part.dim() not in (2, 4) or 0 in part.shape[1:]:
        raise BadInput(f"{where}: shape {tuple(part.shape)}: must be points [N, d] or images [N, C, H, W]")
    if part.dim() == 4 and (part.shape[1] not in (1, 3) or part.shape[2] != part.shape[3]):
        raise BadInput(f"{where}: images {tuple(part.shape[1:])}: must be (1 or 3, S, S)")
    if len(part) < least:
        raise BadInput(f"{where}: {len(part)} samples: must be {least} or more")
    if part.dtype != torch.uint8:
        _check_values(part, where)


def _check_values(part: Tensor, where: str) -> None:
    bad = (~part.isfinite()).flatten(1).nonzero()
    if len(bad):
        row, column = bad[0].tolist()
        raise BadInput(f"{where}: row {row + 1}, column {column + 1} is not finite")
    if part.dim() == 4 and part.abs().max() > 1:
        largest = part.abs().max().item()
        raise BadInput(f"{where}: images up to {largest:g} in size: must be uint8, or float in [-1, 1]")
    if part.dim() == 2 and (part == part[0]).all():
        raise BadInput(f"{where}: all samples are the same")
