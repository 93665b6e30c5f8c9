"""The command line: parses, calls, and turns a user's mistake into one line and exit status 2. No logic of its own."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...objectives.errors import BadInput, one_line
from .stopping import Stopping
from .surroundings import leave_surroundings


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point; exits with 0, 1 if a run failed or a check did not pass, 2 for a mistake in what was asked for.

    Without arguments the process is the program: they are those of its command line, and it is stopped by signals,
    with 130 after Ctrl-C and 143 after SIGTERM.
    """
    stopping = Stopping()
    try:
        if arguments is None:
            stopping.listen()
        leave_surroundings()
        status = _status(sys.argv[1:] if arguments is None else arguments)
    except BaseException as error:
        if not (stopping.asked or isinstance(error, KeyboardInterrupt)):
            raise
        status = stopping.say()  # whatever came of the interrupt on its way
    if arguments is None:
        stopping.end()
    sys.exit(status)


def _status(arguments: Sequence[str]) -> int:
    """Does what is asked for; the exit status. Says a mistake in one line."""
    from .messages import with_option, with_remedies
    from .parser import parse_arguments  # after the signals: reading its modules takes longer than all else here

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an arrow that the terminal cannot show ends no sweep
    values: dict[str, Any] = {}
    try:
        command, values = parse_arguments(arguments)
        _check_paths(values.get("data"), values.get("weights"), values.get("download", False))
        return command(**values)
    except BadInput as error:
        print(f"lipbench: {with_remedies(with_option(str(error), values), error, values)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our output has gone; Python would complain of it once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # of a path that was given: not permitted, too long a name, a circle of links
        if error.filename is None:
            raise
        print(f"lipbench: {one_line(f'{error.filename}: {error.strerror}')}", file=sys.stderr)
        return 2


def _check_paths(data: Path | None, weights: Path | None, download: bool) -> None:
    """Refuses a folder or a file that is not there also where nothing needs it; a download makes the folder."""
    if data is not None and not data.is_dir() and (data.exists() or not download):
        told = "not a folder" if data.exists() else "there is no such folder; with --download it is made"
        raise BadInput(f"--data {data}: {told}")
    if weights is not None and not weights.is_file():
        raise BadInput(f"--weights {weights}: {'not a file' if weights.exists() else 'there is no such file'}")
