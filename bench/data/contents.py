"""The files of a user's pictures, in a folder or an archive: which there are, and their bytes. Not what they mean."""

import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ...objectives import BadInput

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")


def fingerprint(where: Path) -> list[tuple[str | Path, int, int]]:
    """What changes when the pictures do: names, sizes and times, or those of the archive alone."""
    stats = ((path, path.stat()) for path in (_files(where) if where.is_dir() else [where]))
    return [(path.name if path == where else path.relative_to(where), s.st_size, s.st_mtime_ns) for path, s in stats]


def names_of(name: str, where: Path) -> list[str]:
    """The pictures' names below a folder or in an archive, sorted. Raises BadInput for what is neither."""
    if where.is_dir():
        return [path.relative_to(where).as_posix() for path in _files(where)]
    try:
        with tarfile.open(where) as archive:
            return sorted(member.name for member in archive if member.isfile() and _is_picture(member.name))
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BadInput(f"{name}: {where} is no folder and no .tar archive that can be read ({error})") from error


def contents(where: Path, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """In the order of the names from a folder, in the archive's own from an archive."""
    if where.is_dir():
        for name in names:
            try:
                yield name, (where / name).read_bytes()
            except OSError:
                yield name, b""  # counted among those that cannot be read
        return
    with tarfile.open(where) as archive:
        for member in archive:
            if member.isfile() and _is_picture(member.name):
                opened = archive.extractfile(member)
                assert opened is not None
                yield member.name, opened.read()


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in ENDINGS


def _files(where: Path) -> list[Path]:
    return sorted(path for path in where.rglob("*") if _is_picture(path.name) and path.is_file())
