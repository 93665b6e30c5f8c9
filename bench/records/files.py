"""Writes files whole or not at all."""

import os
from pathlib import Path
from uuid import uuid4

from ...objectives.errors import BadInput


def put(path: Path, content: bytes) -> None:
    """To a temporary name first, flushed to disk, then renamed: whoever reads finds the old file or the new one.

    Of two that write it at the same time the last wins. Raises OSError if it cannot be written; nothing is left then.
    """
    temporary = path.with_name(f".{uuid4().hex}.tmp")  # not NamedTemporaryFile's, which nobody else may read
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, content: bytes) -> None:
    """A file of a report, as `put`; its folder is made if it is missing. Raises BadInput if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, content)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}") from error
