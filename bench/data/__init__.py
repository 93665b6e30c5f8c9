"""The data that runs train on: one `Dataset` per name, resident in memory or streamed. No metrics, no training here."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from ...objectives.errors import unknown
from .dataset import Dataset, Mixture
from .embedded import digits, mnist5k
from .files import root
from .idx import FASHION_MNIST, MNIST, download_idx, fashion_mnist, mnist
from .parity import parity
from .pictures import PREFIX, content_of, folder, parse
from .stacked import stacked_mnist
from .toys import eight_gaussians, ring5, ring5_labelled, ring5_random_labels, swiss_roll, twenty_five_gaussians
from .vision import VISION, celeba, cifar10, cifar10_jpeg, only_jpeg, stl10, svhn
from .vision import download as download_vision

__all__ = [
    "DATASETS",
    "DIGITS",
    "POINTS",
    "PREFIX",
    "Dataset",
    "Kind",
    "Loader",
    "Mixture",
    "check_name",
    "download",
    "found_name",
    "kind_of",
    "load",
    "user_content",
]

Loader = Callable[[Path | None], Dataset]

Kind = Literal["points", "digits", "photos"]
# The others are images.
POINTS = ("8gaussians", "25gaussians", "swissroll", "ring5", "ring5-labelled", "ring5-random-labels")
DIGITS = ("digits", "mnist5k", "parity", "mnist", "fashion-mnist", "stacked-mnist")

DATASETS: dict[str, Loader] = {
    "8gaussians": eight_gaussians,
    "25gaussians": twenty_five_gaussians,
    "swissroll": swiss_roll,
    "ring5": ring5,
    "ring5-labelled": ring5_labelled,
    "ring5-random-labels": ring5_random_labels,
    "digits": digits,
    "mnist5k": mnist5k,
    "parity": parity,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar10-jpeg": cifar10_jpeg,
    "svhn": svhn,
    "stl10": stl10,
    "celeba": celeba,
    "stacked-mnist": stacked_mnist,
}

# Those that can be fetched, each into a folder that is given.
DOWNLOADS: dict[str, Callable[[Path], None]] = {
    "mnist": partial(download_idx, MNIST),
    "fashion-mnist": partial(download_idx, FASHION_MNIST),
    "stacked-mnist": partial(download_idx, MNIST),
    **{name: partial(download_vision, source) for name, source in VISION.items()},
}


def load(name: str, data_dir: Path | None = None) -> Dataset:
    """The dataset of that name, on the CPU; `folder:PATH` is a user's own (see `folder`).

    Args:
        name: one of DATASETS, or `folder:PATH?size=…`.
        data_dir: the folder of those kept in files, ~/.cache/lipbench if None.

    Raises:
        BadInput: for an unknown name, and for a folder or file that is missing or corrupt. Nothing is downloaded.
    """
    check_name(name)
    return folder(name, data_dir) if name.startswith(PREFIX) else DATASETS[name](data_dir)


def download(name: str, data_dir: Path | None = None) -> None:
    """Fetches what is missing of that data set, into `data_dir` or ~/.cache/lipbench; nothing if it needs no files.

    Raises BadInput if that fails.
    """
    if name in DOWNLOADS:
        DOWNLOADS[name](root(data_dir))


def check_name(name: str) -> None:
    """Raises BadInput if no dataset goes by that name; looks at no file."""
    if name.startswith(PREFIX):
        parse(name)
    elif name not in DATASETS:
        raise unknown("dataset", name, [*DATASETS, f"{PREFIX}PATH"])


def found_name(name: str, data_dir: Path | None = None) -> str:
    """The dataset that is read for a name: `cifar10-jpeg` where DIR has CIFAR-10 as JPEGs alone, else the same."""
    return "cifar10-jpeg" if name == "cifar10" and data_dir is not None and only_jpeg(data_dir) else name


def user_content(name: str, data_dir: Path | None = None) -> str | None:
    """A hash of what lies in a user's own `folder:PATH`; None for the known data sets, whose files are checked."""
    return content_of(name, data_dir) if is_pictures(name) else None


def is_pictures(name: str) -> bool:
    """Whether this is a user's own `folder:PATH`."""
    return name.startswith(PREFIX)


def kind_of(name: str) -> Kind:
    """What recipes go by: `points`, `digits` (8 to 28 pixels, for DCGAN) or `photos` (32 pixels and more)."""
    if name in POINTS:
        return "points"
    return "digits" if name in DIGITS else "photos"
