"""What the metrics need to know of a set of images, extracted once; of real ones kept on disk. Computes no metric.

The file's name is a hash of all that decides its content: images, extractor, settings, device, programs. LIPBENCH_CACHE
sets the folder (by default ~/.cache/lipbench); `off` keeps nothing.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import NamedTemporaryFile

import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from .features import Gaussian, factor, radii

VARIABLE = "LIPBENCH_CACHE"
PACKAGES = ("torch", "torch-fidelity", "efficientnet-lite-pytorch")  # whose layers and resizes extractors are made of


@dataclass(frozen=True)
class Sample:
    """Images as an extractor sees them: the Gaussian fit to all, features [≤ n, D] of the first, logits [≥ n, K].

    Features and logits are float32 on the extractor's device.
    """

    gaussian: Gaussian
    features: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Reference:
    """A `Sample` and what is worth computing once: the covariance's factor, the balls' radii."""

    sample: Sample
    root: Tensor | None = None
    radii: Tensor | None = None

    def balls(self) -> Tensor:
        """The squared radii [≤ n] around the sample's features."""
        return radii(self.sample.features) if self.radii is None else self.radii


def refer(sample: Sample, balls: bool) -> Reference:
    """A sample as the reference of metrics, with the radii of precision where `balls`; nobody asks for its logits."""
    root = factor(sample.gaussian.covariance)
    return Reference(replace(sample, logits=sample.logits[:0].clone()), root, radii(sample.features) if balls else None)


def cache_folder() -> Path | None:
    """Where references are kept; None if nowhere."""
    chosen = os.environ.get(VARIABLE)
    if chosen == "off":
        return None
    return (Path(chosen) if chosen else Path.home() / ".cache" / "lipbench") / "references"


def fingerprint(images: Tensor, **settings: str | int | bool) -> str:
    """sha256 over the images' values, shape and type, the settings, and the packages that make a reference of them."""
    digest = hashlib.sha256(
        json.dumps([settings, list(images.shape), str(images.dtype), *map(_version, PACKAGES)]).encode()
    )
    for part in images.split(4096):
        digest.update(part.cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # one of them is an extra
        return "none"


def cached(key: str, make: Callable[[], Reference], device: torch.device) -> Reference:
    """The reference of that fingerprint from disk, else made and kept; two processes do not make the same one at once.

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
            warnings.warn(f"references are not kept in {folder} ({error.strerror}): made anew each time", stacklevel=2)
    return made


def _lock(path: Path) -> AbstractContextManager[object]:
    """Held within; no lock where none can be made, for nothing is written there then."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path).acquire()
    except OSError:
        return nullcontext()


def _read(path: Path, device: torch.device) -> Reference | None:
    try:
        content = load_file(path)
    except SafetensorError:  # cut short by a full disk, say: the caller overwrites it
        return None
    gaussian = Gaussian(int(content["n"]), content["mean"], content["covariance"])
    sample = Sample(gaussian, content["features"].to(device), content["logits"].to(device))
    balls = content.get("radii")
    return Reference(sample, content.get("root"), None if balls is None else balls.to(device))


def _write(path: Path, reference: Reference) -> None:
    """To a name of its own, then renamed: nobody sees half a file."""
    sample, optional = reference.sample, {"root": reference.root, "radii": reference.radii}
    content = {
        "n": torch.tensor(sample.gaussian.n),
        "mean": sample.gaussian.mean,
        "covariance": sample.gaussian.covariance,
        "features": sample.features,
        "logits": sample.logits,
    } | {name: value for name, value in optional.items() if value is not None}
    with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            file.write(save({name: value.contiguous().cpu() for name, value in content.items()}))
            file.close()
            os.replace(file.name, path)
        except OSError:
            os.unlink(file.name)
            raise
