"""What metrics know of real images, extracted once and kept on disk: states of theirs, and values. Computes nothing.

The file's name is a hash of all that decides its content: images, extractor, settings, device, programs. LIPBENCH_CACHE
sets the folder (by default ~/.cache/lipbench); `off` keeps nothing.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import metadata
from pathlib import Path
from tempfile import NamedTemporaryFile

import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

Tensors = dict[str, Tensor]


class NotKept(UserWarning):
    """References cannot be written where they are kept: whoever needs them makes them anew."""


VARIABLE = "LIPBENCH_CACHE"
# Whose layers, resizes and sums references are made of.
PACKAGES = ("torch", "torchmetrics", "torch-fidelity", "efficientnet-lite-pytorch")


def cache_folder(kind: str = "references") -> Path | None:
    """Where references, or other things of that kind, are kept; None if nowhere."""
    chosen = os.environ.get(VARIABLE)
    if chosen == "off":
        return None
    return (Path(chosen) if chosen else Path.home() / ".cache" / "lipbench") / kind


def fingerprint(images: Tensor, **settings: object) -> str:
    """sha256 over the images' values, shape and type, the settings, which JSON holds, and the packages that extract."""
    digest = hashlib.sha256(
        json.dumps([settings, list(images.shape), str(images.dtype), *map(version, PACKAGES)]).encode()
    )
    for part in images.split(4096):
        digest.update(part.cpu().contiguous().numpy().data)
    return digest.hexdigest()


@cache  # it reads the package's whole description, or looks through all that are installed
def version(package: str) -> str:
    """The version that is installed; `none` for an extra that is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def cached(key: str, make: Callable[[], Tensors], device: torch.device) -> Tensors:
    """The tensors of that fingerprint from disk, else made and kept; two processes do not make the same one at once.

    A file that cannot be read is made again; where none can be written, a warning says so.
    """
    folder = cache_folder()
    if folder is None:
        return make()
    path = folder / f"{key}.safetensors"
    with _lock(folder / f"{key}.lock"):
        if path.is_file() and (found := _read(path, device)) is not None:
            return found
        made = make()
        try:
            _write(path, made)
        except OSError as error:
            reason = error.strerror or error
            warnings.warn(f"references are not kept in {folder} ({reason}): made anew each time", NotKept, 2)
    return made


def _lock(path: Path) -> AbstractContextManager[object]:
    """Held within; no lock where none can be made, for nothing is written there then."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path).acquire()
    except OSError:
        return nullcontext()


def _read(path: Path, device: torch.device) -> Tensors | None:
    try:
        return {name: value.to(device) for name, value in load_file(path).items()}
    except SafetensorError:  # cut short by a full disk, say: the caller overwrites it
        return None


def _write(path: Path, tensors: Tensors) -> None:
    """To a name of its own, then renamed: nobody sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)  # which says why it cannot be made
    with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            file.write(save({name: value.contiguous().cpu() for name, value in tensors.items()}))
            file.close()
            os.replace(file.name, path)
        except OSError:
            os.unlink(file.name)
            raise
