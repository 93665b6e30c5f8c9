"""The files of a user's pictures, in a folder or an archive: which there are, and their bytes. Not what they mean.

None vanishes without a word: a damaged archive is refused, and a link to nothing has no bytes.
"""

import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from ...objectives.errors import BadInput

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")


def fingerprint(name: str, where: Path) -> list[tuple[str | Path, int, int]]:
    """What changes when the pictures do: names, sizes and times, or those of the archive alone. Raises BadInput."""
    stats = ((path, _stat(path)) for path in (_files(name, where) if where.is_dir() else [where]))
    return [(path.name if path == where else path.relative_to(where), s.st_size, s.st_mtime_ns) for path, s in stats]


def listed(name: str, where: Path) -> list[tuple[str, int]]:
    """Name and size in bytes of the pictures below a folder or in an archive, by name; a link in the latter has size 0.

    Raises BadInput for what is neither, or cannot be read to its end.
    """
    if where.is_dir():
        return [(path.relative_to(where).as_posix(), _stat(path).st_size) for path in _files(name, where)]
    try:
        if not tarfile.is_tarfile(where):
            raise BadInput(f"{name}: {where} is no folder and no .tar archive that can be read")
        with tarfile.open(where) as archive:
            found = sorted((_name(member), member.size) for member in archive if _may_be_picture(member))
            _check_end(archive)
    except (tarfile.TarError, OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise BadInput(f"{name}: {where} cannot be read to its end ({error})") from error
    return found


def contents(where: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """In the order of the names from a folder, in the archive's own from an archive; b"" for what cannot be read."""
    if where.is_dir():
        for name in names:
            try:
                yield name, (where / name).read_bytes()
            except OSError:
                yield name, b""
        return
    with tarfile.open(where) as archive:
        for member in archive:
            if _may_be_picture(member):
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
    """Raises ReadError if what ends an archive is not its mark, a block of zeros: for tarfile a damaged header is one.

    Then reads on, since the sum over a .gz or .xz comes after everything else.
    """
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f"damaged at byte {archive.offset}, or cut there")
    while archive.fileobj.read(1 << 20):
        pass
