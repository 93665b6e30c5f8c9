"""A user's own pictures: `folder:PATH?size=64`, and what their names say about split and class.

The files are read in contents.py and decoded in decoded.py.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ...objectives.errors import BadInput
from .contents import ENDINGS, contents, digest, fingerprint, is_hidden, listed
from .dataset import Dataset
from .decoded import Picture, decoded
from .decoding import Format, LeftOut, check_background
from .files import PREFIX, base_for, nothing_at, parse_options

OPTIONS: dict[str, tuple[Callable[[str], Any], str]] = {
    "size": (lambda text: _side(text), "the side in pixels, e.g. size=64"),
    "crop": (
        lambda text: text if text in ("center", "none") else _side(text),
        "center (the largest centred square), none (stretched), or a side in pixels",
    ),
    "channels": (lambda text: {"1": 1, "3": 3}[text], "1 (grey) or 3 (RGB)"),
    "background": (check_background, "the colour behind transparent pixels, e.g. white or black"),
}
# Folders, in small letters or capitals: whether they are held out; some call them train2017, Test-Set or val_images.
BESIDES = re.compile(r"[\W_\d]+|images?|imgs?|pictures?|photos?|data|sets?|split")
SPLITS = {"train": False, "training": False} | dict.fromkeys(
    ("test", "testing", "val", "valid", "validation", "eval", "dev"), True
)
SHARE = 5  # without such folders, one picture in five is held out, by a hash of its name


def folder(name: str, data_dir: Path | None = None, suite_folder: Path | None = None) -> Dataset:
    """The pictures in a folder, .zip or .tar(.gz, .xz, …) archive, at any depth; `name` is `folder:PATH?OPTION=…&…`.

    Subfolders `train` and `test` (or `val`, see SPLITS) are the split if both are there; else one picture in five,
    chosen by a hash of its name, is held out. The other subfolders are the classes, if every picture lies in one.
    Hidden files are left out. All that is done to the pictures stands in the data set's `source`.

    Raises BadInput for an option that is not known, a folder that is missing, and one without two pictures to train on,
    or with only one that is held out.
    """
    path, form = parse(name)
    where = base_for(path, data_dir, suite_folder) / path
    if not os.path.exists(where):  # unlike Path.exists, of a name that is too long as well
        raise nothing_at(name, "folder or archive", path, data_dir, suite_folder)
    return read_pictures(name, where, form, f"pictures in {where}")


def content_of(name: str, data_dir: Path | None = None, suite_folder: Path | None = None) -> str | None:
    """A hash of the pictures' names and bytes, in a folder or an archive; None where there are none.

    Not of times, which a copy changes; but files with the times of the last call are not read again.
    Raises BadInput for an archive that cannot be read.
    """
    path, _ = parse(name)
    where = base_for(path, data_dir, suite_folder) / path
    if not os.path.exists(where):
        return None
    names = [entry for entry, _ in listed(name, where) if not is_hidden(entry)]
    return digest(name, where, names) if names else None


def parse(name: str) -> tuple[Path, Format]:
    """Path and format from `folder:PATH?size=…&crop=…&channels=…&background=…`. Raises BadInput."""
    path, _, query = name.removeprefix(PREFIX).partition("?")
    if not path:
        raise BadInput(f"{name}: a path must follow, e.g. folder:photos?size=64")
    given: dict[str, Any] = {"size": None} | parse_options(name, query, OPTIONS)
    try:
        return Path(path).expanduser(), Format(**given)
    except RuntimeError as error:  # ~ of nobody
        raise BadInput(f"{name}: {error}") from error


def read_pictures(name: str, where: Path, form: Format, source: str, extractor: str | None = None) -> Dataset:
    """The pictures at `where` as a Dataset. Raises BadInput."""
    try:
        found = decoded("folder", [where.resolve(), *fingerprint(name, where)], form, _pictures(name, where))
    except BadInput:  # is a ValueError too, and has said all
        raise
    except ValueError as error:
        raise BadInput(f"{name}: {error}") from error
    if len(found.train) < 2:
        raise BadInput(
            f"{name}: {len(found.train)} readable pictures to train on in {where}: must be 2 or more{found.left_out}"
        )
    if len(found.test) == 1:
        raise BadInput(f"{name}: 1 readable picture held out in {where}: must be 2 or more, or none{found.left_out}")
    about = f"{source}: {len(found.train)} to train on, {len(found.test)} held out{found.account}"
    labels, held_out = (part if (part >= 0).all() else None for part in (found.labels, found.test_labels))
    test = found.test if len(found.test) else None
    default = extractor or ("mnist-cnn" if form.channels == 1 else "efficientnet-lite0")
    shape = tuple(found.train.shape[1:])
    return Dataset(name, shape, found.train, test, labels, None, default, about, test_labels=held_out)


class _Layout:
    """What the names of pictures say about split and class, below the folder that they have in common."""

    def __init__(self, names: Sequence[str]) -> None:
        common = os.path.commonpath([os.path.dirname(name) for name in names])
        self.depth = len(PurePosixPath(common).parts)
        self.split = {_held_out(self._top(name)) for name in names} >= {True, False}
        folders = {self._folder(name) for name in names}
        self.classes = sorted(folders) if len(folders) > 1 and "" not in folders else []

    def _within(self, name: str) -> tuple[str, ...]:
        return PurePosixPath(name).parts[self.depth :]

    def _top(self, name: str) -> str:
        """The outermost folder; a picture that lies in none has no part in a split."""
        outer = self._within(name)[:-1]
        return outer[0] if outer else ""

    def _folder(self, name: str) -> str:
        """The folders between the split and the picture."""
        return "/".join(self._within(name)[1 if self.split else 0 : -1])

    def _part(self, name: str) -> tuple[bool, str]:
        """Whether a picture is held out, and by what."""
        given = _held_out(self._top(name))
        if self.split and given is not None:
            return given, f"held out by the folder {self._within(name)[0]}" if given else ""
        held_out = hashlib.sha256(name.encode(errors="surrogateescape")).digest()[0] % SHARE == 0
        if self.split:
            return held_out, f"{'held out' if held_out else 'trained on'} from beside the folders of the split"
        return held_out, "held out by a hash of the name" if held_out else ""

    def picture(self, name: str, content: bytes) -> Picture:
        """The picture of that name, with its part and class."""
        held_out, note = self._part(name)
        label = self.classes.index(self._folder(name)) if self.classes else -1
        return Picture(_printable(name), held_out, label, content, note)


def _held_out(folder: str) -> bool | None:
    """Whether a folder's name says that its pictures are held out; None where it says nothing of a split."""
    return SPLITS.get(BESIDES.sub("", folder.lower()))


def _printable(name: str) -> str:
    """On one line: names of files may be any bytes."""
    plain = name.encode(errors="backslashreplace").decode()
    return "".join(letter if letter.isprintable() else "?" for letter in plain)


def _pictures(name: str, where: Path) -> Iterator[Picture]:
    found = [entry for entry, _ in listed(name, where)]
    names = dict.fromkeys(entry for entry in found if not is_hidden(entry))
    hidden = [entry for entry in found if is_hidden(entry)]
    if not names:
        told = f" beside {len(hidden)} hidden ones" if hidden else ""
        raise BadInput(f"{name}: no pictures in {where}{told}; looked for {', '.join(ENDINGS[:8])} and the like")
    layout = _Layout(list(names))
    for entry in hidden:
        yield Picture(_printable(entry), False, -1, LeftOut("hidden"))
    for entry, content in contents(where, names):
        yield layout.picture(entry, content)


def _side(text: str) -> int:
    if int(text) < 1:
        raise ValueError(text)
    return int(text)
