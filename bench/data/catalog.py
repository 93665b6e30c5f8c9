"""Which data sets are built in, by name, and how one is loaded or fetched. Imports none of them before it is asked for.

A new data set needs a line here and in its own file only; no run depends on this module's source.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...objectives.errors import unknown
from ...objectives.registry import Registry
from .files import POINTS_PREFIX, PREFIX, base_for, root

if TYPE_CHECKING:
    from collections.abc import Callable

    from .dataset import Dataset

PACKAGE = "lipbench.bench.data"
PAIRS = "funnels:"  # of pairs of distributions whose optimal transport is known
PREFIXES = (PREFIX, POINTS_PREFIX, PAIRS)

Kind = Literal["points", "digits", "photos", "pairs"]
# The others are images.
PACGAN = ("pacgan-ring", "pacgan-grid")
POINTS = ("8gaussians", "25gaussians", "swissroll", "ring5", "ring5-random-labels", *PACGAN)
DIGITS = ("digits", "mnist5k", "parity", "mnist", "fashion-mnist", "stacked-mnist")

DATASETS: "Registry[Callable[[Path | None], Dataset]]" = Registry(
    PACKAGE,
    {
        "8gaussians": "toys:eight_gaussians",
        "25gaussians": "toys:twenty_five_gaussians",
        "swissroll": "toys:swiss_roll",
        "ring5": "toys:ring5",
        "ring5-random-labels": "toys:ring5_random_labels",
        "pacgan-ring": "packing:pacgan_ring",
        "pacgan-grid": "packing:pacgan_grid",
        "digits": "embedded:digits",
        "mnist5k": "embedded:mnist5k",
        "parity": "parity:parity",
        "mnist": "idx:mnist",
        "fashion-mnist": "idx:fashion_mnist",
        "cifar10": "vision:cifar10",
        "cifar10-jpeg": "vision:cifar10_jpeg",
        "svhn": "vision:svhn",
        "stl10": "vision:stl10",
        "celeba": "vision:celeba",
        "stacked-mnist": "stacked:stacked_mnist",
    },
)
# What loads a data set whose name begins so, what checks such a name, and what hashes the files behind it.
_LOADERS: "Registry[Callable[..., Dataset]]" = Registry(
    PACKAGE, {PREFIX: "pictures:folder", POINTS_PREFIX: "tables:points_file", PAIRS: "funnels:funnels"}
)
_PARSERS: "Registry[Callable[[str], Any]]" = Registry(
    PACKAGE, {PREFIX: "pictures:parse", POINTS_PREFIX: "tables:parse", PAIRS: "pair_names:parse"}
)
_CONTENTS: "Registry[Callable[..., str | None]]" = Registry(
    PACKAGE, {PREFIX: "pictures:content_of", POINTS_PREFIX: "tables:content_of", PAIRS: "funnels:content_of"}
)
# Those that can be fetched, each into a folder that is given.
DOWNLOADS: "Registry[Callable[[Path], None]]" = Registry(
    PACKAGE,
    {
        "mnist": "idx:download_mnist",
        "fashion-mnist": "idx:download_fashion_mnist",
        "stacked-mnist": "idx:download_mnist",
        "cifar10": "vision:download_cifar10",
        "svhn": "vision:download_svhn",
        "stl10": "vision:download_stl10",
        "celeba": "vision:download_celeba",
    },
)


def load(name: str, data_dir: Path | None = None, suite_folder: Path | None = None) -> "Dataset":
    """The dataset of that name, on the CPU; `folder:PATH` and `points:FILE` are a user's own.

    Args:
        name: one of DATASETS, or `folder:PATH?size=…`, `points:FILE?columns=…`, or `funnels:d=…&n=…`.
        data_dir: the folder of those kept in files, ~/.cache/lipbench if None.
        suite_folder: where a relative PATH is looked for behind `data_dir`, and before the working directory.

    Raises:
        BadInput: for an unknown name, and for a folder or file that is missing or corrupt. Nothing is downloaded.
    """
    check_name(name)
    prefix = _prefix(name)
    return DATASETS[name](data_dir) if prefix is None else _LOADERS[prefix](name, data_dir, suite_folder)


def download(name: str, data_dir: Path | None = None) -> None:
    """Fetches what is missing of that data set, into `data_dir` or ~/.cache/lipbench; nothing if it needs no files.

    Raises BadInput if that fails.
    """
    if name not in DOWNLOADS:
        return
    DOWNLOADS[name](root(data_dir))


def check_name(name: str) -> None:
    """Raises BadInput if no dataset goes by that name; looks at no file."""
    prefix = _prefix(name)
    if prefix is not None:
        _PARSERS[prefix](name)
    elif name not in DATASETS:
        raise unknown("dataset", name, [*DATASETS, f"{PREFIX}PATH", f"{POINTS_PREFIX}FILE", f"{PAIRS}d=16&n=64"])


def found_name(name: str, data_dir: Path | None = None) -> str:
    """The dataset that is read for a name: `cifar10-jpeg` where DIR has CIFAR-10 as JPEGs alone, else the same."""
    if name != "cifar10" or data_dir is None:
        return name
    from .vision import only_jpeg

    return "cifar10-jpeg" if only_jpeg(data_dir) else name


def user_content(name: str, data_dir: Path | None = None, suite_folder: Path | None = None) -> str | None:
    """A hash of what lies in a user's own `folder:PATH` or `points:FILE`, or in the file of an official pair.

    None for the known data sets, whose files are checked.
    """
    prefix = _prefix(name)
    return None if prefix is None else _CONTENTS[prefix](name, data_dir, suite_folder)


def _prefix(name: str) -> str | None:
    """What a name begins with that is not one of DATASETS."""
    return next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)


def base_of(name: str, data_dir: Path | None, suite_folder: Path | None) -> Path | None:
    """Where the relative path in a name begins: the first of data folder, suite's folder and working directory that has
    it; `data_dir` where a name has none.
    """
    prefix = _prefix(name)
    if prefix not in (PREFIX, POINTS_PREFIX):
        return data_dir
    path, _ = _PARSERS[prefix](name)
    return base_for(path, data_dir, suite_folder)


def is_pair(name: str) -> bool:
    """Whether these are two distributions whose optimal transport is known: `funnels:d=…&n=…`."""
    return name.startswith(PAIRS)


def kind_of(name: str) -> Kind:
    """What recipes go by: `pairs`, `points`, `digits` (8 to 28 pixels, for DCGAN) or `photos` (32 pixels and more)."""
    if is_pair(name):
        return "pairs"
    if name in POINTS or name.startswith(POINTS_PREFIX):
        return "points"
    return "digits" if name in DIGITS else "photos"


def target_of(name: str) -> str:
    """`package.module:attribute` of what loads that data set; imports nothing."""
    prefix = _prefix(name)
    return DATASETS.target(name) if prefix is None else _LOADERS.target(prefix)
