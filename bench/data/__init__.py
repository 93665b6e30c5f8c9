"""The data that runs train on: one `Dataset` per name, resident in memory or streamed. No metrics, no training here."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ...objectives import unknown
from .dataset import Dataset, Mixture
from .embedded import digits, mnist5k
from .idx import fashion_mnist, mnist
from .pictures import PREFIX, folder, parse
from .toys import eight_gaussians, ring5, swiss_roll, twenty_five_gaussians
from .vision import CIFAR10, cifar10, cifar10_jpeg, jpeg_place, svhn

__all__ = [
    "DATASETS",
    "DIGITS",
    "POINTS",
    "Dataset",
    "Kind",
    "Loader",
    "Mixture",
    "check_name",
    "found_name",
    "kind_of",
    "load",
]

Loader = Callable[[Path | None], Dataset]

Kind = Literal["points", "digits", "photos"]
POINTS = ("8gaussians", "25gaussians", "swissroll", "ring5")  # the others are images
DIGITS = ("digits", "mnist5k", "mnist", "fashion-mnist", "stacked-mnist")

DATASETS: dict[str, Loader] = {
    "8gaussians": eight_gaussians,
    "25gaussians": twenty_five_gaussians,
    "swissroll": swiss_roll,
    "ring5": ring5,
    "digits": digits,
    "mnist5k": mnist5k,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar10-jpeg": cifar10_jpeg,
    "svhn": svhn,
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


def check_name(name: str) -> None:
    """Raises BadInput if no dataset goes by that name; looks at no file."""
    if name.startswith(PREFIX):
        parse(name)
    elif name not in DATASETS:
        raise unknown("dataset", name, [*DATASETS, f"{PREFIX}PATH"])


def found_name(name: str, data_dir: Path | None = None) -> str:
    """The dataset that is read for a name: `cifar10-jpeg` where DIR has CIFAR-10 as JPEGs alone, else the same."""
    if name != "cifar10" or data_dir is None or (data_dir / CIFAR10.folder).exists():
        return name
    return name if jpeg_place(data_dir) is None else "cifar10-jpeg"


def kind_of(name: str) -> Kind:
    """What recipes go by: `points`, `digits` (8 to 28 pixels, for DCGAN) or `photos` (32 pixels and more)."""
    if name in POINTS:
        return "points"
    return "digits" if name in DIGITS else "photos"
