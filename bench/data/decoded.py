"""Pictures of any format, decoded once to one size into uint8 files that every run maps into memory. No data set here.

The mapped files are shared by the processes of a sweep, and the system reads only what is asked for: sets that are
larger than the memory work, at the speed of the disk.
"""

import errno
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ...objectives.errors import BadInput
from .files import cache

VERSION = 2  # of the decoding; a change makes the cached files stale
SHOWN = 5  # unreadable files that are named
CHUNK = 512  # pictures decoded at a time, at most
BYTES = 2**28  # encoded pictures beyond which a chunk is closed


@dataclass(frozen=True)
class Format:
    """What every picture is turned into.

    Attributes:
        size: side in pixels; None leaves pictures as they are: they must be squares of one size then.
        crop: `center` for the largest centred square, `none` for the whole picture, stretched; or a side in pixels of
            a centred square.
        channels: 1 for grey, 3 for RGB.
    """

    size: int | None
    crop: str | int = "center"
    channels: int = 3


@dataclass(frozen=True)
class Picture:
    """A picture: its name, whether it is held out, its class (-1 for none), and its content, encoded or opened."""

    name: str
    held_out: bool
    label: int
    content: bytes | Image.Image


@dataclass(frozen=True)
class Decoded:
    """Pictures [N, C, H, W] uint8 to train on and held out, mapped from files; labels of the former; names left out."""

    train: Tensor
    test: Tensor
    labels: Tensor
    unreadable: tuple[str, ...]

    @property
    def left_out(self) -> str:
        """What to add to a line about the pictures: how many cannot be read, and which."""
        if not self.unreadable:
            return ""
        more = len(self.unreadable) - SHOWN
        named = ", ".join(self.unreadable[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        return f"; {len(self.unreadable)} cannot be read as pictures and are left out: {named}"


def decode(content: bytes | Image.Image, form: Format) -> np.ndarray:
    """A picture as uint8 [C, H, W]: turned as its EXIF says, cropped, and resized bilinearly, antialiased.

    Of 16-bit levels the upper eight bits.

    Raises whatever Pillow does for what is no picture, and ValueError for levels of no known range.
    """
    with Image.open(io.BytesIO(content)) if isinstance(content, bytes) else content as opened:
        turned = ImageOps.exif_transpose(opened)
        image = _eight_bit(turned, opened.format).convert("RGB" if form.channels == 3 else "L")
    if form.crop != "none":
        side = min(image.size) if form.crop == "center" else int(form.crop)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    if form.size is not None and image.size != (form.size, form.size):
        image = image.resize((form.size, form.size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return np.ascontiguousarray(pixels.reshape(image.height, image.width, -1).transpose(2, 0, 1))


def _eight_bit(image: Image.Image, kind: str | None) -> Image.Image:
    """The upper eight of 16-bit grey levels, which Pillow's `convert` would clip at 255; other pictures as they are.

    Raises ValueError for 32-bit levels, whole or not: nothing says where white is.
    """
    # Pillow 10 opens 16-bit PNGs as 32-bit whole numbers, every version PGMs; it stretches the latter to 65,535.
    if image.mode.startswith("I;16") or (image.mode == "I" and kind in ("PNG", "PPM")):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"grey levels of mode {image.mode}, which have no known range")
    return image


def decoded(name: str, fingerprint: Sequence[object], form: Format, pictures: Iterable[Picture]) -> Decoded:
    """All pictures in one format, from the cache where they have been decoded before.

    Args:
        name: opens the cached folder's name.
        fingerprint: whatever the content depends on, besides the format: paths, sizes, times of change.
        form: size, crop and channels.
        pictures: read only if they are not in the cache.

    Raises:
        BadInput: the cache cannot be written.
        ValueError: pictures without a `form.size` of their own are not squares of one size.
    """
    told = json.dumps([VERSION, name, asdict(form), list(fingerprint)], default=str)
    folder = cache() / "decoded" / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    if folder.is_dir():
        try:
            return _mapped(folder)
        except (OSError, ValueError, KeyError, TypeError):  # damaged, as by a power cut
            shutil.rmtree(folder, ignore_errors=True)
    _fill(folder, form, pictures)
    return _mapped(folder)


def _mapped(folder: Path) -> Decoded:
    """Raises OSError, ValueError, KeyError or TypeError where a file is missing or cut short."""
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    train, test = (_map(folder / f"{part}.bin", about[part]) for part in ("train", "test"))
    labels = torch.from_numpy(np.fromfile(folder / "labels.bin", dtype=np.int64))
    if len(labels) != len(train):
        raise ValueError(f"{folder}: {len(labels)} labels of {len(train)} pictures")
    return Decoded(train, test, labels, tuple(about["unreadable"]))


def _map(path: Path, shape: list[int]) -> Tensor:
    if not shape[0]:
        return torch.empty(shape, dtype=torch.uint8)
    # Copy-on-write: torch warns about memory that it may not write to, and nobody writes.
    return torch.from_numpy(np.memmap(path, dtype=np.uint8, mode="c", shape=tuple(shape)))


def _fill(folder: Path, form: Format, pictures: Iterable[Picture]) -> None:
    """Into a folder of its own, renamed when it is whole: processes in parallel never see half of one."""
    scratch = _scratch(folder.parent)
    try:
        _write(scratch, form, pictures)
        if not folder.is_dir():
            os.replace(scratch, folder)
    except OSError as error:
        if folder.is_dir():  # another process was first
            return
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BadInput(f"decoded pictures cannot be kept in {folder.parent} ({error.strerror})") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _scratch(place: Path) -> Path:
    try:
        place.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=place))
    except OSError as error:
        raise BadInput(f"decoded pictures cannot be kept in {place} ({error.strerror})") from error


def _write(folder: Path, form: Format, pictures: Iterable[Picture]) -> None:
    counts, unreadable, labels, shape = [0, 0], list[str](), list[int](), tuple[int, ...]()
    with open(folder / "train.bin", "wb") as train, open(folder / "test.bin", "wb") as test:
        files: tuple[BinaryIO, BinaryIO] = (train, test)
        for picture, pixels in _decode_all(pictures, form):
            if pixels is None:
                unreadable.append(picture.name)
                continue
            shape = shape or pixels.shape
            _check_shape(picture.name, pixels.shape, shape)
            files[picture.held_out].write(pixels.tobytes())
            counts[picture.held_out] += 1
            if not picture.held_out:
                labels.append(picture.label)
    np.array(labels, dtype=np.int64).tofile(folder / "labels.bin")
    about = {"train": [counts[0], *shape], "test": [counts[1], *shape], "unreadable": sorted(unreadable)}
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _check_shape(name: str, shape: tuple[int, ...], first: tuple[int, ...]) -> None:
    if shape != first or shape[1] != shape[2]:
        size = f"{shape[2]}×{shape[1]}"
        raise ValueError(f"{name} has {size} pixels, and pictures are not all squares of one size: give a size")


def _decode_all(pictures: Iterable[Picture], form: Format) -> Iterator[tuple[Picture, np.ndarray | None]]:
    """Each with its pixels, in order, or None; decoded by threads, a chunk at a time."""

    def attempt(picture: Picture) -> np.ndarray | None:
        try:
            return decode(picture.content, form)
        except MemoryError:
            raise
        except Exception:  # there is no type that the plug-ins of Pillow could not raise
            return None

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        for chunk in _chunks(pictures):
            yield from zip(chunk, pool.map(attempt, chunk), strict=True)
            del chunk  # before the next one is read


def _chunks(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    """CHUNK pictures at a time, or fewer where they have BYTES; what is yielded is not held here."""
    chunk, size = list[Picture](), 0
    for picture in pictures:
        chunk.append(picture)
        size += len(picture.content) if isinstance(picture.content, bytes) else 0
        if len(chunk) == CHUNK or size >= BYTES:
            yield chunk
            chunk, size = [], 0
    yield chunk
