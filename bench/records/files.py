"""Writes files whole or not at all."""

import os
from pathlib import Path
from uuid import uuid4

from ...objectives.errors import BadInput


def write_atomically(path: Path, content: bytes) -> None:
    """Writes atomically: temporary file, fsync, rename. A reader finds the old file or the new one, never a part.

    Of two writers at the same time the last wins. Raises OSError, and leaves no temporary file.
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
    """Writes a file of a report atomically and makes its folder. Raises BadInput if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}") from error
