"""Writes a report's files whole or not at all."""

import os
from pathlib import Path

from ...objectives.errors import BadInput


def write(path: Path, content: bytes) -> None:
    """To a temporary name first, then renamed: whoever reads finds the old file or the new one.

    Raises BadInput if it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}") from error
