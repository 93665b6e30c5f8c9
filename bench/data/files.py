"""Where data sets that are kept in files lie, on the user's disk and in lipbench's cache. Reads and fetches nothing."""

from pathlib import Path


def cache() -> Path:
    """The folder in which lipbench keeps what it downloaded or decoded."""
    return Path.home() / ".cache" / "lipbench"


def root(data_dir: Path | None) -> Path:
    """The folder of the data sets: the given one, else the cache."""
    return cache() if data_dir is None else data_dir


def how_to_get(data_dir: Path | None, size: str) -> str:
    """What to type where files are missing; `size` is that of the download, in words."""
    here = root(data_dir)
    return f"add --download to fetch them to {here} ({size}), or give the folder that has them with --data DIR"
