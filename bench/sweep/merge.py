"""Several results folders as one, as of a suite whose seeds several machines shared. Copies records alone."""

import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from ...objectives.errors import BadInput
from ..records.quantities import number, quantity
from ..records.reader import RunRecord, read_runs, read_suite
from ..records.schema import SCHEMA_VERSION
from ..records.store import Store, telling_disk_trouble, write_json
from ..report import report
from ..report.blocks import make_blocks
from .joining import check_joined, joined_suite
from .progress import say


def merge_folders(folders: Sequence[Path], out: Path, command: str, console: Console) -> None:
    """Copies the finished runs of several results folders into a new one, each once, and reports on them.

    Args:
        folders: results folders of suites.
        out: the new one.
        command: for the record.
        console: gets notes and tables.

    Raises:
        BadInput: where the runs were not made and measured alike, `out` holds runs already, or a record is damaged.
    """
    parts = {folder: read_runs(folder) for folder in dict.fromkeys(folders)}
    if any((out / "runs").glob("*")):
        raise BadInput(f"out: {out}: holds runs already; give a new folder")
    check_joined([(str(folder), record.spec) for folder, records in parts.items() for record in records])
    records, notes = _each_once(parts)
    suite = _suite(out, list(parts), command, notes)
    make_blocks(records, suite)  # refuses what no table can hold
    with telling_disk_trouble(out):
        store = Store(out)
        with store.lock():
            for record in records:
                shutil.copytree(record.folder, store.partial(record.id), dirs_exist_ok=True)
                store.finish(record.id)
            write_json(out / "suite.json", suite)
            report(out, console=console)
    for note in notes:
        say(f"Note: {note}.", console)
    say(f"{len(records)} runs of {len(parts)} folders. Report: {out}/report.html", console)


def _each_once(parts: Mapping[Path, Sequence[RunRecord]]) -> tuple[list[RunRecord], list[str]]:
    """The runs by id, of those that several folders have the first that did not fail; and where folders disagree."""
    chosen: dict[str, RunRecord] = {}
    differing: dict[tuple[Path, Path], list[str]] = {}
    for record in (record for records in parts.values() for record in records):
        known = chosen.setdefault(record.id, record)
        if known.status == "failed":
            chosen[record.id] = record
        elif known is not record and record.status != "failed":
            pair = known.folder.parents[1], record.folder.parents[1]
            differing.setdefault(pair, []).append(_difference(known, record))
    return list(chosen.values()), [note for pair, found in differing.items() if (note := _note(pair, found))]


def _note(pair: tuple[Path, Path], found: Sequence[str]) -> str:
    """What to say of the runs that two folders both have, one text each, empty where they are equal."""
    unequal = [text for text in found if text]
    if not unequal:
        return ""
    first, second = pair
    told = f"{first} and {second} disagree in {len(unequal)} of {len(found)} runs that both have"
    return f"{told}, of which {first}'s are kept; {unequal[0]}"


def _difference(a: RunRecord, b: RunRecord) -> str:
    """How two records of one run differ, apart from what it took; empty if they do not."""
    if a.status != b.status:
        return f"{a.id}: {a.status} and {b.status}"
    x, y = (record.history.drop(columns="seconds", errors="ignore") for record in (a, b))
    if x.equals(y):
        return ""
    for metric in a.metrics:
        one, two = (record.metrics.get(metric, {}).get("tail_mean") for record in (a, b))
        if one != two:
            return f"{a.id}: {quantity(metric).name} {number(one, 6)} and {number(two, 6)}"
    return f"{a.id}: other histories"


def _suite(out: Path, folders: Sequence[Path], command: str, notes: Sequence[str]) -> dict[str, Any]:
    """The content of suite.json, of which a folder may have none."""
    suites = [suite for folder in folders if (suite := read_suite(folder))] or [{}]
    machine: dict[str, str] = {}
    for key in dict.fromkeys(key for suite in suites for key in suite.get("machine") or {}):
        values = [str(suite["machine"][key]) for suite in suites if key in (suite.get("machine") or {})]
        machine[key] = ", ".join(dict.fromkeys(values))
    about = {"name": out.resolve().name, "schema_version": SCHEMA_VERSION, "version": version("lipbench")}
    about |= {"command": command, "machine": machine, "merged": [str(folder) for folder in folders]}
    return joined_suite(suites) | about | {"notes": list(notes)}
