"""Where data sets that are kept in files lie: the user's folder, or lipbench's cache. Reads and fetches nothing."""

from pathlib import Path

from ...objectives.errors import BadInput

PREFIX = "folder:"  # opens the name of a user's own pictures
ADVICE = "add --download to fetch it there, or name the folder that has it with --data DIR"


def cache() -> Path:
    """The folder in which lipbench keeps what it downloaded or decoded. Raises BadInput where nobody has a home."""
    try:
        return Path.home() / ".cache" / "lipbench"
    except RuntimeError as error:  # a user id without a name, as in containers
        raise BadInput(
            "this user has no home folder for lipbench's cache: set HOME to one that can be written"
        ) from error


def root(data_dir: Path | None) -> Path:
    """The folder of the data sets: the given one, else the cache."""
    return cache() if data_dir is None else data_dir
