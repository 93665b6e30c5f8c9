"""Writes the records of sweeps and studies, and says which are there. A kill at any moment loses no finished record.

Records are read in reader.py.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from ...objectives.errors import BadInput
from .checksums import write_sums
from .files import write_atomically
from .reader import FILES, WEIGHTS, RunRecord, read_run

# Full, over quota; and what a file server in trouble or a dying disk says: another time it may be well again.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.EIO, errno.EROFS)


def disk_trouble(error: BaseException | None) -> str | None:
    """The disk error that an exception comes from, with the file, in words; None if it comes from no disk error."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK:
            of = f" ({error.filename})" if error.filename else ""
            return f"{os.strerror(error.errno)}{of}"
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def telling_disk_trouble(folder: Path) -> Iterator[None]:
    """Turns disk errors inside the block into a BadInput of one line."""
    try:
        yield
    except Exception as error:
        told = disk_trouble(error)
        if isinstance(error, BadInput) or told is None:
            raise
        raise BadInput(f"results folder {folder}: {told}; the same command goes on from here") from error


def try_to_write(folder: Path) -> None:
    """Makes the folder if it is missing. Raises OSError if nothing can be written in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):  # of a name of its own: several processes try at the same time
        pass


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all. Raises OSError."""
    write_atomically(path, text.encode())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Strict JSON (NaN and infinities as null), indented."""
    write_text(path, json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not (float("-inf") < value < float("inf")):
        return None
    return value


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a results folder. Raises BadInput if another command is at work in it."""
    try:
        with FileLock(folder / ".lock", timeout=0, mode=SHARED):
            yield
    except PermissionError as error:
        raise BadInput(
            f"results folder {folder}: {folder / '.lock'} belongs to somebody else: {error.strerror}"
        ) from error
    except Timeout as error:
        raise BadInput(
            f"results folder {folder}: another command is at work in this folder; wait for it or choose another"
        ) from error


SHARED = 0o666  # of a lock, less the umask: in a folder of a group every member may hold it


class RecordFolder:
    """A folder of finished records. One command at a time writes it; no record is lost or seen half-written.

    `<records>/<name>` is finished, `<records>/.<name>.partial` under way, `superseded/<name>` replaced by another.

    Args:
        folder: the results folder.
        records: where the records lie in it; made if it is missing.
        files: of a record, whose sums are kept beside them.

    Raises:
        BadInput: if the folder cannot be written to.
    """

    def __init__(self, folder: Path, records: Path, files: Sequence[str]) -> None:
        self.folder, self.records, self.superseded = folder, records, folder / "superseded"
        self.files = files
        try:
            records.mkdir(parents=True, exist_ok=True)
            try_to_write(folder)
        except OSError as error:
            raise BadInput(f"results folder {folder}: cannot write there: {error.strerror or error}") from error

    def lock(self) -> AbstractContextManager[None]:
        """Locks this folder; see `locked`."""
        return locked(self.folder)

    def partial(self, name: str) -> Path:
        """The folder of a record under way, made if it is missing."""
        path = self.unfinished(name)
        path.mkdir(exist_ok=True)
        return path

    def unfinished(self, name: str) -> Path:
        """Where a record under way is, or would be."""
        return self.records / f".{name}.partial"

    def finish(self, name: str) -> Path:
        """Moves a finished record to its place; a kill on the way leaves the old one or the new one whole."""
        write_sums(self.unfinished(name), self.files)
        final, old = self.records / name, self.records / f".{name}.old"
        if final.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.replace(final, old)
        os.replace(self.unfinished(name), final)
        shutil.rmtree(old, ignore_errors=True)
        return final

    def move_aside(self, name: str, other: str) -> None:
        """Moves a record to `superseded`, under this other name, and replaces what was there."""
        self.superseded.mkdir(exist_ok=True)
        shutil.rmtree(self.superseded / other, ignore_errors=True)
        os.replace(self.records / name, self.superseded / other)

    def set_damaged_aside(self, name: str) -> None:
        """Moves a damaged record to `superseded`, under a name that no command restores."""
        self.move_aside(name, f"{name}.damaged")


class Store(RecordFolder):
    """The results folder of a sweep: its runs by id. Raises BadInput if it cannot be written to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, folder / "runs", [*FILES, *WEIGHTS])
        self.runs = self.records

    def find(self, run: str) -> RunRecord | None:
        """The record of a finished run. Raises as `read_run`."""
        self._bring_back(run)
        final = self.runs / run
        return read_run(final) if final.exists() else None

    def reopen(self, run: str) -> None:
        """Makes a finished run unfinished, so that it is made again from what else is in its folder."""
        shutil.rmtree(self.unfinished(run), ignore_errors=True)
        os.replace(self.runs / run, self.unfinished(run))
        (self.unfinished(run) / "result.json").unlink(missing_ok=True)

    def set_aside(self, wanted: set[str]) -> list[str]:
        """Moves finished runs that are not wanted (another suite, other code) out of the tables; nothing is deleted.

        Other folders that somebody has put there stay.
        """
        finished = [p for p in self.runs.iterdir() if not p.name.startswith(".") and (p / "spec.json").is_file()]
        strangers = [p for p in finished if p.name not in wanted]
        for path in strangers:
            self.move_aside(path.name, path.name)
        return [p.name for p in strangers]

    def _bring_back(self, run: str) -> None:
        if (self.superseded / run).exists() and not (self.runs / run).exists():
            os.replace(self.superseded / run, self.runs / run)
