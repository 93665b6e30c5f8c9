"""Which data sets are built in, by name, and how one is loaded or fetched. Imports none of them before it is asked for.

A new data set needs a line here and in its own file only; no run depends on this module's source.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...objectives.errors import unknown
from ...objectives.registry import Registry
from .files import POINTS_PREFIX, PREFIX, root

if TYPE_CHECKING:
    from collections.abc import Callable

    from .dataset import Dataset

PACKAGE = "lipbench.bench.data"
PICTURES = f"{PACKAGE}.pictures:folder"  # what reads them
PAIRS = "funnels:"  # of pairs of distributions whose optimal transport is known
FUNNELS = f"{PACKAGE}.funnels:funnels"  # what makes them
TABLES = f"{PACKAGE}.tables:points_file"  # what reads points
PREFIXES = (PREFIX, POINTS_PREFIX, PAIRS)

Kind = Literal["points", "digits", "photos", "pairs"]
# The others are images.
PACGAN = ("pacgan-ring", "pacgan-grid")
POINTS = ("8gaussians", "25gaussians", "swissroll", "ring5", "ring5-labelled", "ring5-random-labels", *PACGAN)
DIGITS = ("digits", "mnist5k", "parity", "mnist", "fashion-mnist", "stacked-mnist")

DATASETS: "Registry[Callable[[Path | None], Dataset]]" = Registry(
    PACKAGE,
    {
        "8gaussians": "toys:eight_gaussians",
        "25gaussians": "toys:twenty_five_gaussians",
        "swissroll": "toys:swiss_roll",
        "ring5": "toys:ring5",
        "ring5-labelled": "toys:ring5_labelled",
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
    if is_pair(name):
        from .funnels import funnels

        return funnels(name, data_dir)
    if is_table(name):
        from .tables import points_file

        return points_file(name, data_dir, suite_folder)
    if not is_pictures(name):
        return DATASETS[name](data_dir)
    from .pictures import folder

    return folder(name, data_dir, suite_folder)


def download(name: str, data_dir: Path | None = None) -> None:
    """Fetches what is missing of that data set, into `data_dir` or ~/.cache/lipbench; nothing if it needs no files.

    Raises BadInput if that fails.
    """
    if name not in DOWNLOADS:
        return
    DOWNLOADS[name](root(data_dir))


def check_name(name: str) -> None:
    """Raises BadInput if no dataset goes by that name; looks at no file."""
    if is_pictures(name):
        from .pictures import parse

        parse(name)
    elif is_pair(name):
        from .pair_names import parse

        parse(name)
    elif is_table(name):
        from .tables import parse

        parse(name)
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
    if is_pair(name):
        from .funnels import content_of

        return content_of(name, data_dir)
    if is_table(name):
        from .tables import content_of

        return content_of(name, data_dir, suite_folder)
    if not is_pictures(name):
        return None
    from .pictures import content_of

    return content_of(name, data_dir, suite_folder)


def is_pictures(name: str) -> bool:
    """Whether this is a user's own `folder:PATH`."""
    return name.startswith(PREFIX)


def is_table(name: str) -> bool:
    """Whether this is a user's own `points:FILE`."""
    return name.startswith(POINTS_PREFIX)


def base_of(name: str, data_dir: Path | None, suite_folder: Path | None) -> Path | None:
    """Where the relative path in a name begins; `data_dir` where it has none."""
    if is_table(name):
        from .tables import base_of as begins
    elif is_pictures(name):
        from .pictures import base_of as begins
    else:
        return data_dir
    return begins(name, data_dir, suite_folder)


def is_pair(name: str) -> bool:
    """Whether these are two distributions whose optimal transport is known: `funnels:d=…&n=…`."""
    return name.startswith(PAIRS)


def kind_of(name: str) -> Kind:
    """What recipes go by: `pairs`, `points`, `digits` (8 to 28 pixels, for DCGAN) or `photos` (32 pixels and more)."""
    if is_pair(name):
        return "pairs"
    if name in POINTS or is_table(name):
        return "points"
    return "digits" if name in DIGITS else "photos"


def target_of(name: str) -> str:
    """`package.module:attribute` of what loads that data set; imports nothing."""
    if is_pair(name):
        return FUNNELS
    if is_table(name):
        return TABLES
    return PICTURES if is_pictures(name) else DATASETS.target(name)
