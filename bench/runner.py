"""A sweep: what is still to be made, made in parallel, told as it goes, and reported. One run is train.py's affair."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..models import Unsuited
from ..objectives import BadInput
from .data import load
from .executor import execute
from .machine import machine
from .report import report
from .report.records import RunRecord, read_run
from .spec import RunSpec, code_version, expand
from .store import Store, write_json
from .suite import Suite
from .train import SCHEMA_VERSION, Place, build_networks, record_failure


@dataclass
class Tally:
    """How the runs of a sweep ended."""

    made: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        total = self.made + self.kept
        told = ", ".join(f"{total[s]} {s}" for s in ("completed", "diverged", "skipped", "failed") if total[s])
        return f"{told or 'no runs'} ({sum(self.kept.values())} of them from before)"


def sweep(suite: Suite, folder: Path, place: Place, jobs: int, data_dir: Path | None, console: Console) -> int:
    """Makes the runs of a suite that are not there yet, and reports on all of them.

    Args:
        suite: what to compare.
        folder: where the suite file lies, for plug-ins given by a relative path.
        place: where and how runs are made; its folder gets the results.
        jobs: worker processes.
        data_dir: where data sets kept in files are looked for.
        console: gets the progress and the tables.

    Returns:
        The exit status: 1 if a run failed, else 0.

    Raises:
        BadInput: for anything in the suite that cannot be used, before the first run is made.
    """
    specs = expand(suite, folder, data_dir)
    _check_networks(suite, specs, {dataset: load(dataset, data_dir).shape for dataset in suite.datasets})
    store = Store(place.folder)
    with store.lock():
        _tell_set_aside(store.set_aside({spec.id for spec in specs}), console)
        write_json(place.folder / "suite.json", _about(suite, place))
        tally, todo = _look(specs, store, console)
        plan = f"{suite.name}: {len(specs)} runs, {len(todo)} to make, {jobs} at a time"
        _tell(f"{plan}; results in {place.folder}", console)
        _make(todo, place, jobs, tally, console)
        report(place.folder, console=console)
    _tell(f"{tally}. Report: {place.folder}/report.html", console)
    return 1 if tally.made["failed"] + tally.kept["failed"] else 0


def records_of(
    suite: Suite | Sequence[Suite], place: Place, jobs: int, folder: Path = Path(), data_dir: Path | None = None
) -> list[RunRecord]:
    """The records of the suites' runs, in the order of their cells; the missing are made first. For studies: no tables.

    Several suites may share one results folder, and a run: those of others stay where they are.
    """
    suites = [suite] if isinstance(suite, Suite) else suite
    specs = [spec for one in suites for spec in expand(one, folder, data_dir)]
    store = Store(place.folder)
    with store.lock():
        tally, todo = _look(list({spec.id: spec for spec in specs}.values()), store, Console())
        _make(todo, place, jobs, tally, Console())
    return [read_run(store.runs / spec.id) for spec in specs]


def _check_networks(suite: Suite, specs: Sequence[RunSpec], shapes: dict[str, tuple[int, ...]]) -> None:
    """A setting that no network can have is told now, not run by run; a shape that does not suit one skips its runs."""
    for spec in {(spec.architecture, spec.dataset): spec for spec in specs}.values():
        try:
            with torch.device("meta"):
                build_networks(spec, shapes[spec.dataset])
        except Unsuited:
            continue
        except BadInput as error:
            raise BadInput(f"{suite.where}: architectures: {spec.architecture_spec['name']}: {error}") from error


def _look(specs: Sequence[RunSpec], store: Store, console: Console) -> tuple[Tally, list[RunSpec]]:
    """What is there, and what is to be made: the missing, the damaged and the failed."""
    tally, todo = Tally(), []
    for spec in specs:
        try:
            status = store.status(spec.id)
        except BadInput as error:
            _tell(f"runs again: {error}", console)
            store.drop(spec.id)
            status = None
        if status == "failed":
            store.drop(spec.id)
        if status in (None, "failed"):
            todo.append(spec)
        else:
            tally.kept[str(status)] += 1
    return tally, todo


def _make(todo: Sequence[RunSpec], place: Place, jobs: int, tally: Tally, console: Console) -> None:
    if not todo:
        return
    with _progress(len(todo), console) as tell:
        for spec, result in execute(todo, place, jobs):
            if isinstance(result, str):
                result = record_failure(spec, place, result)
            tally.made[result["status"]] += 1
            tell(spec, result)


@contextmanager
def _progress(total: int, console: Console) -> Iterator[Any]:
    """One bar with the time left on a terminal, a line per finished run elsewhere; trouble is told in both."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    task = bar.add_task("runs", total=total)
    done = 0

    def tell(spec: RunSpec, result: dict[str, Any]) -> None:
        nonlocal done
        done += 1
        bar.advance(task)
        if result["reason"] or not console.is_terminal:
            label = f"{spec.dataset} {spec.objective} {spec.recipe} seed {spec.seed}"
            line = f"[{done}/{total}] {label}: {_ending(result)}, {result['seconds']:.0f} s"
            _tell(line, console)

    with bar:
        yield tell


def _ending(result: dict[str, Any]) -> str:
    """How a run ended, in words."""
    if result["reason"] is None:
        return result["status"]
    at = "" if result["diverged_at"] is None else f" at step {result['diverged_at']}"
    recovered = ", recovered" if result["recovered"] else ""
    return f"{result['status']} ({result['reason']}{at}{recovered})"


def _tell_set_aside(names: list[str], console: Console) -> None:
    if names:
        _tell(
            f"{len(names)} finished runs belong to another suite, or to another version of the code or of a plug-in: "
            "moved to superseded/, out of the tables",
            console,
        )


def _tell(line: str, console: Console) -> None:
    """One line, as it is: paths are not to be wrapped, and brackets in them are no markup."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _about(suite: Suite, place: Place) -> dict[str, Any]:
    return {
        "name": suite.name,
        "schema_version": SCHEMA_VERSION,
        "suite": suite.model_dump(),
        "version": version("lipbench"),
        "code": code_version(),
        "command": "lipbench " + " ".join(sys.argv[1:]),
        "machine": machine(place.device),
    }
