"""The data that runs train on: one `Dataset` per name, resident in memory or streamed. No metrics, no training here."""

from collections.abc import Callable
from pathlib import Path

from ...objectives import unknown
from .dataset import Dataset, Mixture
from .embedded import digits, mnist5k
from .idx import fashion_mnist, mnist
from .toys import eight_gaussians, ring5, swiss_roll, twenty_five_gaussians

__all__ = ["DATASETS", "POINTS", "Dataset", "Loader", "Mixture", "load"]

Loader = Callable[[Path | None], Dataset]

POINTS = ("8gaussians", "25gaussians", "swissroll", "ring5")  # the others are images

DATASETS: dict[str, Loader] = {
    "8gaussians": eight_gaussians,
    "25gaussians": twenty_five_gaussians,
    "swissroll": swiss_roll,
    "ring5": ring5,
    "digits": digits,
    "mnist5k": mnist5k,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
}


def load(name: str, data_dir: Path | None = None) -> Dataset:
    """The dataset of that name, on the CPU. `data_dir` matters only to those kept in files.

    Raises BadInput for an unknown name, and for a folder or file that is missing or corrupt.
    """
    if name not in DATASETS:
        raise unknown("dataset", name, list(DATASETS))
    return DATASETS[name](data_dir)
