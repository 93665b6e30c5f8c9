"""MNIST and Fashion-MNIST from their IDX files, in a folder as torchvision lays it out; each file's content is checked.

Files are read packed (.gz) or unpacked and nothing is written to a folder that was given, so it may be read-only.
"""

import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor

from ...objectives.errors import BadInput, Missing, message_of
from . import files
from .dataset import Dataset


@dataclass(frozen=True)
class IdxSource:
    """A data set of four IDX files in DIR/<folder>/raw; `folder` is also the name of torchvision's class for it."""

    name: str
    folder: str
    citation: str
    sha256: Mapping[str, str]  # file name without .gz -> digest of its unpacked bytes


MNIST = IdxSource(
    "mnist",
    "MNIST",
    "MNIST (LeCun, Bottou, Bengio, Haffner 1998)",
    {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)
FASHION_MNIST = IdxSource(
    "fashion-mnist",
    "FashionMNIST",
    "Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747), MIT",
    {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
)


def load_idx(source: IdxSource, data_dir: Path | None = None) -> Dataset:
    """The four files below `data_dir`, or below ~/.cache/lipbench, as a Dataset.

    Raises BadInput for a folder or file that is missing, unreadable, cut or changed. Nothing is downloaded.
    """
    root = files.root(data_dir)
    try:
        content = _read_all(source, root)
    except OSError as error:
        raise BadInput(f"{source.name}: {error.filename} cannot be read ({error.strerror})") from error
    train, test = (content[f"{split}-images-idx3-ubyte"].unsqueeze(1) for split in ("train", "t10k"))
    labels, held_out = (content[f"{split}-labels-idx1-ubyte"].long() for split in ("train", "t10k"))
    about = "mnist-cnn", source.citation
    return Dataset(source.name, tuple(train.shape[1:]), train, test, labels, None, *about, test_labels=held_out)


mnist = partial(load_idx, MNIST)
"""MNIST (LeCun, Bottou, Bengio, Haffner 1998)"""
fashion_mnist = partial(load_idx, FASHION_MNIST)
"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747), MIT"""


def parse_idx(content: bytes) -> Tensor:
    """The uint8 tensor in an unpacked IDX file: magic 00 00 08 <dimensions>, big-endian sizes, then the data."""
    dimensions = content[3]
    sizes = [int.from_bytes(content[4 * i : 4 * i + 4], "big") for i in range(1, dimensions + 1)]
    # A bytearray, for torch warns about memory that it may not write to.
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=4 * (dimensions + 1)).reshape(sizes)


def _read_all(source: IdxSource, root: Path) -> dict[str, Tensor]:
    if not root.is_dir():
        raise Missing(f"{source.name}: there is no folder {root}; expected {_layout(source, root)}", *files.FETCHED)
    return {name: _read(source, root, name) for name in source.sha256}


def _read(source: IdxSource, root: Path, name: str) -> Tensor:
    path = _find(source, root, name)
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadInput(f"{source.name}: {path} is corrupt ({error}); expected the original {name}.gz") from error
    digest, expected = hashlib.sha256(content).hexdigest(), source.sha256[name]
    if digest != expected:
        raise BadInput(
            f"{source.name}: {path} is corrupt or another file: "
            f"its content has sha256 {digest[:12]}…, expected {expected[:12]}…"
        )
    return parse_idx(content)


def _find(source: IdxSource, root: Path, name: str) -> Path:
    raw = root / source.folder / "raw"
    for path in (raw / f"{name}.gz", raw / name):
        if path.exists():
            return path
    raise Missing(f"{source.name}: {raw / name}.gz is missing; expected {_layout(source, root)}", *files.FETCHED)


def _layout(source: IdxSource, root: Path) -> str:
    return f"{', '.join(source.sha256)} (each with or without .gz) in {root / source.folder / 'raw'}"


def download_idx(source: IdxSource, root: Path) -> None:
    """Fetches the files that are missing below `root`, by torchvision. Raises BadInput if that fails."""
    raw = root / source.folder / "raw"
    if all((raw / f"{name}.gz").exists() or (raw / name).exists() for name in source.sha256):
        return
    try:
        raw.mkdir(parents=True, exist_ok=True)
        _download(source, raw)
    except (OSError, RuntimeError, HTTPException) as error:  # failed mirrors are a RuntimeError of many lines
        reason = message_of(error)
        raise Missing(
            f"{source.name}: download to {raw} failed ({reason}); expected {_layout(source, root)}", "data"
        ) from error


download_mnist = partial(download_idx, MNIST)
download_fashion_mnist = partial(download_idx, FASHION_MNIST)


def _download(source: IdxSource, raw: Path) -> None:
    """Fetch into a folder of its own and rename: runs in parallel never see each other's half-written files."""
    import torchvision.datasets  # costs a second, and only a first run without a folder needs it

    with tempfile.TemporaryDirectory(dir=raw) as scratch:
        getattr(torchvision.datasets, source.folder)(scratch, download=True)
        for name in source.sha256:
            os.replace(Path(scratch) / source.folder / "raw" / f"{name}.gz", raw / f"{name}.gz")
