"""The command line: parses, calls, and turns a user's mistake into one line and exit status 2. No logic of its own."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...objectives.errors import BadInput, one_line
from .messages import with_option
from .parser import parse_arguments
from .surroundings import leave_surroundings


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point; exits with 0, 1 if a run failed or a check did not pass, 2 for a mistake in what was asked for."""
    leave_surroundings()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an arrow that the terminal cannot show ends no sweep
    values: dict[str, Any] = {}
    try:
        command, values = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        _check_paths(values.get("data"), values.get("weights"), values.get("download", False))
        status = command(**values)
    except BadInput as error:
        print(f"lipbench: {with_option(str(error), values)}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # whoever read our output has gone; Python would complain of it once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # of a path that was given: not permitted, too long a name, a circle of links
        if error.filename is None:
            raise
        print(f"lipbench: {one_line(f'{error.filename}: {error.strerror}')}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("lipbench: stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    sys.exit(status)


def _check_paths(data: Path | None, weights: Path | None, download: bool) -> None:
    """Refuses a folder or a file that is not there also where nothing needs it; a download makes the folder."""
    if data is not None and not data.is_dir() and (data.exists() or not download):
        told = "not a folder" if data.exists() else "there is no such folder; with --download it is made"
        raise BadInput(f"--data {data}: {told}")
    if weights is not None and not weights.is_file():
        raise BadInput(f"--weights {weights}: {'not a file' if weights.exists() else 'there is no such file'}")
