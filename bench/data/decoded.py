"""Decodes pictures once, to one size, into uint8 files that every run maps into memory.

The processes of a sweep share the mapped files, and only the rows in use are read: data sets larger than the memory
work, at the speed of the disk.
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL
import torch
from PIL import Image
from torch import Tensor

from ...objectives.errors import BadInput
from .decoding import Format, LeftOut, TooSmall, decode_if_possible
from .files import cache

SOURCES = ("contents.py", "decoded.py", "decoding.py", "pictures.py")  # decide what is in the cached files
SHOWN = 3  # pictures left out that are named
CHUNK = 512  # pictures decoded at a time, at most
BYTES = 2**28  # encoded pictures beyond which a chunk is closed


@dataclass(frozen=True)
class Picture:
    """A picture: its name, whether it is held out, its class (-1 for none), and its content, encoded or opened.

    The content is a `LeftOut` where the picture is not used; `note` says what was done to it, as `decode` does.
    """

    name: str
    held_out: bool
    label: int
    content: bytes | Image.Image | LeftOut
    note: str = ""


@dataclass(frozen=True)
class Decoded:
    """Pictures [N, C, H, W] uint8, mapped from files, and what has become of them.

    Attributes:
        train: to train on.
        test: held out.
        labels: of `train`, -1 for none.
        test_labels: of `test`.
        notes: what was done to pictures, or is to be known of them: to how many.
        unused: why pictures are left out: the names.
        repeated: held-out pictures that have the very pixels of one to train on.
    """

    train: Tensor
    test: Tensor
    labels: Tensor
    test_labels: Tensor
    notes: Mapping[str, int]
    unused: Mapping[str, Sequence[str]]
    repeated: int

    @property
    def left_out(self) -> str:
        """What to add to a line about the pictures: how many are left out, why, and which."""
        reasons = [f"{len(names)} {reason} ({_first(names)})" for reason, names in sorted(self.unused.items())]
        return f"; left out: {', '.join(reasons)}" if reasons else ""

    @property
    def account(self) -> str:
        """What to add to a line about a user's own pictures: all that was done to them."""
        notes = [f"{n} {note}" for note, n in sorted(self.notes.items(), key=lambda item: (-item[1], item[0]))]
        repeated = f"; {self.repeated} of those held out have the pixels of one trained on" if self.repeated else ""
        return "".join(f"; {note}" for note in [", ".join(notes)] if note) + self.left_out + repeated


def _first(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def decoded(name: str, fingerprint: Sequence[object], form: Format, pictures: Iterable[Picture]) -> Decoded:
    """All pictures in one format, from the cache where they have been decoded before.

    Args:
        name: opens the cached folder's name.
        fingerprint: whatever the content depends on, besides the format: paths, sizes, times of change.
        form: size, crop and channels.
        pictures: read only if they are not in the cache.

    Raises:
        BadInput: the cache cannot be written.
        ValueError: pictures without a `form.size` are not squares of one size, or one is smaller than `form.crop`.
    """
    told = json.dumps([version(), name, asdict(form), list(fingerprint)], default=str)
    folder = cache() / "decoded" / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    if folder.is_dir():
        try:
            return _mapped(folder)
        except (OSError, ValueError, KeyError, TypeError):  # damaged, as by a power cut
            shutil.rmtree(folder, ignore_errors=True)
    _fill(folder, form, pictures)
    return _mapped(folder)


def version() -> str:
    """Of the code that turns files into pixels, Pillow's too; a change makes the cached files stale."""
    sources = b"".join((Path(__file__).parent / name).read_bytes() for name in SOURCES)
    return f"{hashlib.sha256(sources).hexdigest()[:16]} {PIL.__version__}"


def _mapped(folder: Path) -> Decoded:
    """Raises OSError, ValueError, KeyError or TypeError where a file is missing or cut short."""
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    train, test = (_map(folder / f"{part}.bin", about[part]) for part in ("train", "test"))
    labels = torch.from_numpy(np.fromfile(folder / "labels.bin", dtype=np.int64))
    if len(labels) != len(train) + len(test):
        raise ValueError(f"{folder}: {len(labels)} labels of {len(train) + len(test)} pictures")
    return Decoded(
        train, test, labels[: len(train)], labels[len(train) :], about["notes"], about["unused"], about["repeated"]
    )


def _map(path: Path, shape: list[int]) -> Tensor:
    if not shape[0]:
        return torch.empty(shape, dtype=torch.uint8)
    # Copy-on-write: torch warns about memory that it may not write to, and nobody writes.
    return torch.from_numpy(np.memmap(path, dtype=np.uint8, mode="c", shape=tuple(shape)))


def _fill(folder: Path, form: Format, pictures: Iterable[Picture]) -> None:
    """Writes to a temporary folder and renames it, so that parallel processes never see half of one."""
    scratch = _scratch(folder.parent)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow about single pictures, which are counted and told in one line
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
    labels, shape, digests = (list[int](), list[int]()), tuple[int, ...](), (list[bytes](), list[bytes]())
    notes, unused = Counter[str](), dict[str, list[str]]()
    with open(folder / "train.bin", "wb") as train, open(folder / "test.bin", "wb") as test:
        files: tuple[BinaryIO, BinaryIO] = (train, test)
        for picture, result in _decode_all(pictures, form):
            if isinstance(result, LeftOut):
                unused.setdefault(str(result), []).append(picture.name)
                continue
            pixels, done = result
            shape = shape or pixels.shape
            _check_shape(picture.name, pixels.shape, shape)
            content = pixels.tobytes()
            files[picture.held_out].write(content)
            digests[picture.held_out].append(hashlib.blake2b(content, digest_size=8).digest())
            notes.update(filter(None, [*done, picture.note]))
            labels[picture.held_out].append(picture.label)
    np.array([*labels[0], *labels[1]], dtype=np.int64).tofile(folder / "labels.bin")
    trained = set(digests[0])
    about = {
        "train": [len(digests[0]), *shape],
        "test": [len(digests[1]), *shape],
        "notes": notes,
        "unused": {reason: sorted(names) for reason, names in unused.items()},
        "repeated": sum(digest in trained for digest in digests[1]),
    }
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _check_shape(name: str, shape: tuple[int, ...], first: tuple[int, ...]) -> None:
    if shape != first or shape[1] != shape[2]:
        size = f"{shape[2]}×{shape[1]}"
        raise ValueError(
            f"{name} has {size} pixels, and pictures are not all squares of one size: give a size, e.g. size=64"
        )


def _decode_all(
    pictures: Iterable[Picture], form: Format
) -> Iterator[tuple[Picture, tuple[np.ndarray, list[str]] | LeftOut]]:
    """Each with its pixels and what was done to it, in order; decoded by threads, a chunk at a time."""

    def attempt(picture: Picture) -> tuple[np.ndarray, list[str]] | LeftOut:
        try:
            return decode_if_possible(picture.content, form)
        except TooSmall as error:
            raise ValueError(f"{picture.name} {error}") from error

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
