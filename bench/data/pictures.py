"""A user's own pictures: `folder:PATH?size=64`, and what their names say about split and class.

The files are read in contents.py and decoded in decoded.py.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qsl

from ...objectives.errors import BadInput, unknown
from .catalog import PREFIX
from .contents import ENDINGS, contents, fingerprint, listed
from .dataset import Dataset
from .decoded import Format, Picture, decoded

OPTIONS: dict[str, Callable[[str], Any]] = {
    "size": lambda text: _whole(text, 1),
    "crop": lambda text: text if text in ("center", "none") else _whole(text, 1),
    "channels": lambda text: {"1": 1, "3": 3}[text],
}
ALLOWED = {
    "size": "the side in pixels, e.g. size=64",
    "crop": "center (the largest centred square), none (stretched), or a side in pixels",
    "channels": "1 (grey) or 3 (RGB)",
}
SPLITS = {"train": False, "test": True, "val": True, "valid": True, "validation": True}  # folder -> held out
SHARE = 5  # without such folders, one picture in five is held out, by a hash of its name


def folder(name: str, data_dir: Path | None = None) -> Dataset:
    """The pictures in a folder or .tar(.gz, .xz, …) archive, at any depth; `name` is `folder:PATH?OPTION=VALUE&…`.

    Subfolders `train` and `test` (or `val`, see SPLITS) are the split if both are there; else one picture in five,
    chosen by a hash of its name, is held out. The other subfolders are the classes, if every picture lies in one.

    Raises BadInput for an option that is not known, a folder that is missing, and one without two pictures to train on,
    or with only one that is held out.
    """
    path, form = parse(name)
    return read_pictures(name, _place(path, data_dir), form, f"pictures in {path}")


def content_of(name: str, data_dir: Path | None = None) -> str | None:
    """A hash of the pictures' names and sizes in bytes, in a folder or an archive; None where there are none.

    Not of times, which a copy changes, and not of the pixels, for which every file would have to be read.
    Raises BadInput for an archive that cannot be read.
    """
    where = _place(parse(name)[0], data_dir)
    if not os.path.exists(where):
        return None
    told = listed(name, where)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16] if told else None


def parse(name: str) -> tuple[Path, Format]:
    """Path and format from `folder:PATH?size=…&crop=…&channels=…`. Raises BadInput."""
    path, _, query = name.removeprefix(PREFIX).partition("?")
    if not path:
        raise BadInput(f"{name}: a path must follow, e.g. folder:photos?size=64")
    given: dict[str, Any] = {"size": None}
    for key, text in parse_qsl(query, keep_blank_values=True):
        if key not in OPTIONS:
            raise BadInput(f"{name}: {unknown('option', key, list(OPTIONS))}")
        try:
            given[key] = OPTIONS[key](text)
        except (ValueError, KeyError) as error:
            raise BadInput(f"{name}: {key}={text}: must be {ALLOWED[key]}") from error
    try:
        return Path(path).expanduser(), Format(**given)
    except RuntimeError as error:  # ~ of nobody
        raise BadInput(f"{name}: {error}") from error


def read_pictures(name: str, where: Path, form: Format, source: str, extractor: str | None = None) -> Dataset:
    """The pictures at `where` as a Dataset. Raises BadInput."""
    if not os.path.exists(where):  # unlike Path.exists, of a name that is too long as well
        raise BadInput(f"{name}: there is no folder or archive {where}")
    try:
        found = decoded("folder", [where.resolve(), *fingerprint(name, where)], form, _pictures(name, where))
    except BadInput:  # is a ValueError too, and has said all
        raise
    except ValueError as error:
        raise BadInput(f"{name}: {error}, e.g. {name.partition('?')[0]}?size=64") from error
    if len(found.train) < 2:
        raise BadInput(f"{name}: {len(found.train)} readable pictures to train on in {where}: must be 2 or more")
    if len(found.test) == 1:
        raise BadInput(f"{name}: 1 readable picture held out in {where}: must be 2 or more, or none")
    about = f"{source}: {len(found.train)} to train on, {len(found.test)} held out{found.left_out}"
    labels = found.labels if (found.labels >= 0).all() else None
    test = found.test if len(found.test) else None
    default = extractor or ("mnist-cnn" if form.channels == 1 else "efficientnet-lite0")
    return Dataset(name, tuple(found.train.shape[1:]), found.train, test, labels, None, default, about)


def _place(path: Path, data_dir: Path | None) -> Path:
    return path if path.is_absolute() or data_dir is None else data_dir / path


class _Layout:
    """What the names of pictures say about split and class, below the folder that they have in common."""

    def __init__(self, names: list[str]) -> None:
        common = os.path.commonpath([os.path.dirname(name) for name in names])
        self.depth = len(PurePosixPath(common).parts)
        self.split = {SPLITS.get(self._within(name)[0]) for name in names} >= {True, False}
        folders = {self._folder(name) for name in names}
        self.classes = sorted(folders) if len(folders) > 1 and "" not in folders else []

    def _within(self, name: str) -> tuple[str, ...]:
        return PurePosixPath(name).parts[self.depth :]

    def _folder(self, name: str) -> str:
        """The folders between the split and the picture."""
        return "/".join(self._within(name)[1 if self.split else 0 : -1])

    def held_out(self, name: str) -> bool:
        top = self._within(name)[0]
        if self.split and top in SPLITS:
            return SPLITS[top]
        return hashlib.sha256(name.encode(errors="surrogateescape")).digest()[0] % SHARE == 0

    def pictures(self, contents: Iterator[tuple[str, bytes]]) -> Iterator[Picture]:
        for name, content in contents:
            label = self.classes.index(self._folder(name)) if self.classes else -1
            printable = name.encode(errors="backslashreplace").decode()  # file names may be any bytes
            yield Picture(printable, self.held_out(name), label, content)


def _pictures(name: str, where: Path) -> Iterator[Picture]:
    names = [found for found, _ in listed(name, where)]
    if not names:
        raise BadInput(f"{name}: no pictures in {where}; looked for {', '.join(ENDINGS)}")
    yield from _Layout(names).pictures(contents(where, names))


def _whole(text: str, least: int) -> int:
    value = int(text)
    if value < least:
        raise ValueError(text)
    return value
