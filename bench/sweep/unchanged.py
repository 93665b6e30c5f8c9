"""Knows a results folder in which there is nothing to do, without importing torch.

For two finished runs the sweep takes 8.6 s of processor time to find that out and to report again, 2 of them to import
torch; this takes 0.5 s. Nothing here decides what a run is: in doubt there is something to do, and the sweep looks.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..config.suite import Suite
from ..records.checksums import sha256_of
from ..records.files import write
from ..run.context import RunContext

STAMP, LOCK = ".reported.json", ".lock"
ROOT = Path(__file__).parents[2]
SOURCES = (".py", ".j2", ".css", ".js")


def remember(suite: Suite, context: RunContext, ended: Mapping[str, int], plugins: Iterable[Path]) -> None:
    """Notes that all was made and reported.

    Args:
        suite: what was asked for.
        context: where.
        ended: status → number of runs.
        plugins: files on which the runs depend.
    """
    stamp = {
        "asked": _asked(suite, context),
        "left": _left(context.folder),
        "plugins": {str(path.absolute()): sha256_of(path) for path in plugins},
        "ended": dict(ended),
    }
    write(context.folder / STAMP, json.dumps(stamp).encode())


def nothing_to_do(suite: Suite, context: RunContext) -> Counter[str] | None:
    """How the runs ended, if the same was asked for before and nothing has been touched since; else None."""
    try:
        stamp: dict[str, Any] = json.loads((context.folder / STAMP).read_bytes())
        same = stamp["asked"] == _asked(suite, context) and stamp["left"] == _left(context.folder)
        plugins: dict[str, str] = stamp["plugins"]
        if same and all(sha256_of(Path(path)) == sha for path, sha in plugins.items()):
            return Counter(stamp["ended"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # no stamp, a damaged one, or a plug-in that is gone
    return None


def _asked(suite: Suite, context: RunContext) -> str:
    """A digest of the suite, of where its files are, and of lipbench's sources."""
    places = [str(path and path.absolute()) for path in (context.suite_folder, context.data, context.weights)]
    digest = hashlib.sha256(repr([suite.model_dump(), places, context.add]).encode())
    rooms = (ROOT / room for room in ("objectives", "models", "bench"))
    for path in sorted(file for room in rooms for file in room.rglob("*") if file.suffix in SOURCES):
        digest.update(f"\0{path}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _left(folder: Path) -> list[str]:
    """What lies in a results folder, with the sizes and times of files; but the stamp and the lock."""
    states: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.name not in (STAMP, LOCK):
            state = path.stat()
            changed = "" if path.is_dir() else f" {state.st_size} {state.st_mtime_ns}"
            states.append(f"{path.relative_to(folder)}{changed}")
    return states
