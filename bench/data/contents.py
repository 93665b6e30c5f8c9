"""Lists and reads the files of a user's pictures in a folder or an archive.

No file is dropped silently: a damaged archive is refused, and a broken link has no bytes.
"""

import hashlib
import json
import lzma
import os
import tarfile
import time
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from ...objectives.errors import BadInput
from .files import cache

DIGITS = 16  # of a hash
SETTLED = 2.0  # seconds, the coarsest clock of a file system
# What cameras and programs call pictures, those included that Pillow may not read: they are counted, not passed over.
ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".jpe", ".jfif", ".jp2", ".apng", ".avif", ".dib", ".tga", ".psd"),
    *(".heic", ".heif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw"),
)
# Where systems and programs keep copies, thumbnails and what was deleted; so do all names that begin with a dot.
NOT_THE_USERS = (
    "__macosx",
    "@eadir",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "lost+found",
    "system volume information",
)
DAMAGES = (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, lzma.LZMAError, zlib.error)


def is_hidden(name: str) -> bool:
    """Whether a file, or a folder that it lies in, is a system's or a program's rather than the user's."""
    parts = PurePosixPath(name).parts
    return any((part.startswith(".") and part != "..") or part.lower() in NOT_THE_USERS for part in parts)


def fingerprint(name: str, where: Path) -> list[tuple[str | Path, int, int]]:
    """What changes when the pictures do: names, sizes and times, or those of the archive alone. Raises BadInput."""
    stats = ((path, _stat(path)) for path in (_files(name, where) if where.is_dir() else [where]))
    return [(path.name if path == where else path.relative_to(where), s.st_size, s.st_mtime_ns) for path, s in stats]


def listed(name: str, where: Path) -> list[tuple[str, int]]:
    """Name and size in bytes of the pictures below a folder or in an archive, by name; a link in the latter has size 0.

    Hidden ones too. Raises BadInput for what is neither, or cannot be read to its end.
    """
    if where.is_dir():
        return [(path.relative_to(where).as_posix(), _stat(path).st_size) for path in _files(name, where)]
    try:
        if _is_zip(where):
            return sorted((_zip_name(member), member.file_size) for member in _zipped(where))
        if not tarfile.is_tarfile(where):
            raise BadInput(f"{name}: {where} is no folder and no .tar or .zip archive that can be read")
        with tarfile.open(where) as archive:
            found = sorted((_name(member), member.size) for member in archive if _may_be_picture(member))
            _check_end(archive)
    except DAMAGES as error:
        raise BadInput(f"{name}: {where} cannot be read to its end ({error})") from error
    return found


def digest(name: str, where: Path, names: Collection[str]) -> str:
    """A hash of these pictures' names and bytes. It is kept, for as long as their sizes and times are what they are.

    Raises BadInput where there is no place for a cache; where it cannot be written, all is read again another time.
    """
    files, now = fingerprint(name, where), time.time()
    told = json.dumps([where.resolve(), files, list(names)], default=str)
    kept = cache() / "contents" / hashlib.sha256(told.encode()).hexdigest()[:DIGITS]
    with suppress(OSError):
        if len(found := kept.read_text(encoding="utf-8")) == DIGITS:
            return found
    sums = sorted((entry, hashlib.sha256(content).hexdigest()) for entry, content in contents(where, names))
    found = hashlib.sha256(json.dumps(sums).encode()).hexdigest()[:DIGITS]
    if any(changed > (now - SETTLED) * 1e9 for _, _, changed in files):  # may change again without another time
        return found
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(found, encoding="utf-8")
    return found


def contents(where: Path, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """In the order of the names from a folder, in the archive's own from an archive; b"" for what cannot be read."""
    if where.is_dir():
        for name in names:
            yield name, _read_or_nothing(where / name)
    elif _is_zip(where):
        with zipfile.ZipFile(where) as packed:
            for info in _zipped(where):
                if _zip_name(info) in names:
                    yield _zip_name(info), _unzip(packed, info)
    else:
        with tarfile.open(where) as archive:
            for member in archive:
                if _may_be_picture(member) and _name(member) in names:
                    yield _name(member), _read(archive, member)


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in ENDINGS


def _files(name: str, where: Path) -> list[Path]:
    try:
        return sorted(_below(where, frozenset()))
    except OSError as error:
        raise BadInput(f"{name}: {error.filename} cannot be read ({error.strerror})") from error


def _below(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """The pictures at any depth, through links to folders too, but for those that lead back to a folder `above`."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for path in folder.iterdir():
        if path.is_dir():
            yield from _below(path, above | {real})
        elif _is_picture(path.name) and (path.is_file() or not path.exists()):  # a link to nothing is told, a pipe not
            yield path


def _is_zip(where: Path) -> bool:
    return not tarfile.is_tarfile(where) and zipfile.is_zipfile(where)  # an archive may end in one of the other kind


def _zipped(where: Path) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(where) as archive:
        return [info for info in archive.infolist() if not info.is_dir() and _is_picture(info.filename)]


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Some programs on Windows write backslashes, against the format."""
    return info.filename.replace("\\", "/")


def _unzip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except (*DAMAGES, RuntimeError, NotImplementedError):  # locked with a password; packed by an unknown method
        return b""


def _read_or_nothing(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _stat(path: Path) -> os.stat_result:
    """Of the file, or of the link to it where there is none."""
    return path.stat() if path.exists() else path.lstat()


def _may_be_picture(member: tarfile.TarInfo) -> bool:
    return (member.isfile() or member.islnk() or member.issym()) and _is_picture(member.name)


def _name(member: tarfile.TarInfo) -> str:
    return member.name.lstrip("/")


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """The content of a file in an archive or of the one that a link in there leads to; b"" if it leads to none."""
    try:
        opened = archive.extractfile(member)
    except (KeyError, RecursionError):  # to nothing in here; in a circle
        return b""
    return b"" if opened is None else opened.read()


def _check_end(archive: tarfile.TarFile) -> None:
    """Raises ReadError unless the archive ends in a block of zeros: tarfile takes a damaged header for the end.

    Then reads to the end, where the checksum of a .gz or .xz is.
    """
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f"damaged at byte {archive.offset}, or cut there")
    while archive.fileobj.read(1 << 20):
        pass
