"""Knows a results folder in which there is nothing to do, without the seconds that torch and Lightning take to import.

Nothing here decides what a run is: in doubt there is something to do, and the sweep looks for itself.
"""

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

STAMP = ".reported.json"
ROOT = Path(__file__).parents[2]
SUITES = ROOT / "bench" / "suites"
SOURCES = (".py", ".j2", ".css", ".js", ".yaml")
RECORDS = ("spec.json", "result.json", "history.csv", "samples.npz")
TABLES = ("suite.json", "runs.csv", "summary.csv", "summary.md", "summary.tex", "report.html", "plots")


class Request:
    """What a sweep is asked for: a digest of the suite file, of what was said beside it, and of lipbench's sources.

    Args:
        suite: name or path of the suite.
        said: everything else on the command line that decides which runs there are to be.
    """

    def __init__(self, suite: str, said: Sequence[str]) -> None:
        path = Path(suite) if suite.endswith((".yaml", ".yml")) else SUITES / f"{suite}.yaml"
        content = _content(path)
        self.name = _name(content) or path.stem
        rooms = (ROOT / room for room in ("objectives", "models", "bench"))
        sources = sorted(file for room in rooms for file in room.rglob("*") if file.suffix in SOURCES)
        parts = [str(path.resolve()).encode(), content, *(text.encode() for text in said)]
        self._digest = _digest([*parts, *(part for p in sources for part in (str(p).encode(), p.read_bytes()))])

    def remember(self, out: Path, plugins: Mapping[str, str]) -> None:
        """Notes that all was made and reported; `plugins`: files on which it depends, with the sha256 of each."""
        with (out / "runs.csv").open(encoding="utf-8", newline="") as file:
            statuses = Counter(row["status"] for row in csv.DictReader(file))
        stamp = {"asked": self._digest, "left": _left(out), "plugins": dict(plugins), "statuses": dict(statuses)}
        temporary = out / f"{STAMP}.tmp"
        temporary.write_text(json.dumps(stamp), encoding="utf-8")
        os.replace(temporary, out / STAMP)

    def nothing_to_do(self, out: Path) -> Counter[str] | None:
        """How the runs ended, if the same was asked for before and nothing has been touched since; else None."""
        try:
            stamp: dict[str, Any] = json.loads((out / STAMP).read_text(encoding="utf-8"))
            same = stamp["asked"] == self._digest and stamp["left"] == _left(out)
            plugins: dict[str, str] = stamp["plugins"]
            if same and all(hashlib.sha256(Path(p).read_bytes()).hexdigest() == sha for p, sha in plugins.items()):
                return Counter(stamp["statuses"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # no stamp, a damaged one, or a plug-in that is gone
        return None


def _content(path: Path) -> bytes:
    """Of a suite file; nothing where it cannot be read, which others will complain about."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _name(content: bytes) -> str | None:
    """What a suite calls itself, if it is plain to see."""
    try:
        name = yaml.safe_load(content).get("name")
    except (yaml.YAMLError, AttributeError, ValueError):  # a date that is none is a ValueError
        return None
    return str(name) if name else None


def _left(out: Path) -> str:
    """A digest of the sizes and times of the files in a results folder."""
    runs = sorted(entry.path for entry in os.scandir(out / "runs"))
    files = [*(str(out / name) for name in TABLES), *(os.path.join(run, name) for run in runs for name in RECORDS)]
    return _digest(text.encode() for text in [*map(os.path.basename, runs), *map(_state, files)])


def _state(path: str) -> str:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return "none"
    return f"{found.st_size} {found.st_mtime_ns}"


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
