"""Detects changed records: sha256 sums beside their files, as `sha256sum --check` reads them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from .files import write_atomically

SUMS = "checksums.sha256"


def write_sums(folder: Path, names: Iterable[str]) -> None:
    """Writes the sums of those of the named files that are there. Raises OSError."""
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in names if (folder / name).is_file()]
    write_atomically(folder / SUMS, "".join(lines).encode())


def first_altered(folder: Path, names: Iterable[str]) -> Path | None:
    """The first of the named files that was changed, removed or added since the sums were written; None if none was.

    Records from before there were sums pass. Raises OSError for a file that cannot be read.
    """
    if not (folder / SUMS).exists():
        return None
    lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    written = {name: value for value, _, name in (line.partition("  ") for line in lines)}
    for name in names:
        now = sha256_of(folder / name) if (folder / name).is_file() else None
        if now != written.get(name):
            return folder / name
    return None


def sha256_of(path: Path) -> str:
    """Of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
