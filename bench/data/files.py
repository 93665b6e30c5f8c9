"""Where data sets that are kept in files lie: the user's folder, or lipbench's cache. Reads and fetches nothing."""

from pathlib import Path

ADVICE = "add --download to fetch it there, or name the folder that has it with --data DIR"


def cache() -> Path:
    """The folder in which lipbench keeps what it downloaded or decoded."""
    return Path.home() / ".cache" / "lipbench"


def root(data_dir: Path | None) -> Path:
    """The folder of the data sets: the given one, else the cache."""
    return cache() if data_dir is None else data_dir
