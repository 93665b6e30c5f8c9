"""Where data sets that are kept in files lie, and what options their names hold. Reads and fetches nothing."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from ...objectives.errors import BadInput, unknown

PREFIX = "folder:"  # opens the name of a user's own pictures
POINTS_PREFIX = "points:"  # and of points in a file
FETCHED = ("download", "data")  # what helps where a data set that can be fetched is missing


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


def places(data_dir: Path | None, suite_folder: Path | None) -> list[Path]:
    """Where a user's relative path may begin, in that order; the working directory comes last."""
    return [place for place in (data_dir, suite_folder, Path()) if place is not None]


def base_for(path: Path, data_dir: Path | None, suite_folder: Path | None) -> Path:
    """The first of these places that has this path, else the last."""
    tried = places(data_dir, suite_folder)
    return next((place for place in tried if os.path.exists(place / path)), tried[-1])


def nothing_at(name: str, what: str, path: Path, data_dir: Path | None, suite_folder: Path | None) -> BadInput:
    """The error where none of these places has the path that a data set's name holds."""
    tried = dict.fromkeys(str(place / path) for place in places(data_dir, suite_folder))
    return BadInput(f"{name}: there is no {what} {' or '.join(tried)}")


def parse_options(name: str, query: str, known: Mapping[str, tuple[Callable[[str], Any], str]]) -> dict[str, Any]:
    """The options in `KEY=VALUE&…` of a data set's name, each read as `known` says: a reader, and what is allowed.

    Raises BadInput for an option that is not known, and for a value that its reader refuses.
    """
    found: dict[str, Any] = {}
    for key, text in parse_qsl(query, keep_blank_values=True):
        if key not in known:
            raise BadInput(f"{name}: {unknown('option', key, list(known))}")
        read, allowed = known[key]
        try:
            found[key] = read(text)
        except (ValueError, KeyError) as error:
            raise BadInput(f"{name}: {key}={text}: must be {allowed}") from error
    return found
