"""A sweep: what is still to be made, made in parallel, told as it goes, and reported. One run is train.py's affair."""

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ...models.acceleration import check_device
from ...models.networks import Unsuited
from ...objectives.catalog import BUILTINS
from ...objectives.errors import BadInput
from ..config.spec import RunSpec, code_version, expand
from ..config.suite import Suite
from ..data import Dataset, load
from ..metrics.protocols import check_evaluation
from ..records.reader import Damaged, RunRecord, read_run
from ..records.store import Store, telling_disk_trouble, write_json
from ..report import report
from ..run.machine import machine
from ..run.train import LOGGERS, SCHEMA_VERSION, RunContext, build_networks, record_failure
from .executors import Executor, LocalExecutor, RunFinished
from .executors.worker import finished, forget_locks
from .progress import Progress, TimeLeft, say
from .unchanged import Request


@dataclass
class SweepCounts:
    """How the runs of a sweep ended."""

    made: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        total = self.made + self.kept
        told = ", ".join(f"{total[s]} {s}" for s in ("completed", "diverged", "skipped", "failed") if total[s])
        return f"{told or 'no runs'} ({sum(self.kept.values())} of them from before)"


def sweep(
    suite: Suite,
    folder: Path,
    place: RunContext,
    executor: Executor | int,
    data_dir: Path | None,
    console: Console,
    request: Request | None = None,
) -> int:
    """Makes the runs of a suite that are not there yet, and reports on all of them.

    Args:
        suite: what to compare.
        folder: where the suite file lies, for plug-ins given by a relative path.
        place: where and how runs are made; its folder gets the results.
        executor: makes the runs; a number stands for so many worker processes here.
        data_dir: where data sets kept in files are looked for.
        console: gets the progress and the tables.
        request: what was asked for, if it is to be known again next time.

    Returns:
        The exit status: 1 if a run failed, else 0.

    Raises:
        BadInput: for anything in the suite that cannot be used, before the first run is made.
    """
    specs = expand(suite, folder, data_dir)
    check_suite(suite, specs, place, data_dir, console)
    status = sweep_of(suite, specs, place, executor, console)
    if request is not None and not status and all(_known_again(spec, suite) for spec in specs):
        files = {
            str(Path(s.folder, s.objective_target.rpartition(":")[0]).absolute()): s.source for s in specs if s.source
        }
        request.remember(place.folder, files)
    return status


def _known_again(spec: RunSpec, suite: Suite) -> bool:
    """Whether a request shows all that decides what the run computes.

    It does not show what else a package has in it, a user's own pictures, or whether a data set that another one stood
    in for has come since.
    """
    own = spec.source is not None or spec.objective_target in BUILTINS
    return own and spec.content is None and spec.dataset in suite.datasets


def sweep_of(
    suite: Suite, specs: Sequence[RunSpec], place: RunContext, executor: Executor | int, console: Console
) -> int:
    """As `sweep`, of runs that were derived from a suite and checked; it gives the name and the order of the tables."""
    executor = LocalExecutor(executor) if isinstance(executor, int) else executor
    store = Store(place.folder)
    with telling_disk_trouble(place.folder), store.lock():
        _tell_set_aside(store.set_aside({spec.id for spec in specs}), console)
        write_json(place.folder / "suite.json", _about(suite, specs, place))
        left = TimeLeft(executor.slots)
        tally, todo = _look(specs, store, left, console)
        say(
            f"{suite.name}: {len(specs)} runs, {len(todo)} to make, {executor.where}; results in {place.folder}",
            console,
        )
        _make(todo, place, executor, tally, left, console)
        report(place.folder, console=console)
    say(f"{tally}. Report: {place.folder}/report.html", console)
    return 1 if tally.made["failed"] + tally.kept["failed"] else 0


def records_of(
    suite: Suite | Sequence[Suite],
    place: RunContext,
    executor: Executor | int,
    folder: Path = Path(),
    data_dir: Path | None = None,
) -> list[RunRecord]:
    """The records of the suites' runs, in the order of their cells; the missing are made first. For studies: no tables.

    Several suites may share one results folder, and a run: those of others stay where they are.
    """
    suites = [suite] if isinstance(suite, Suite) else suite
    specs = [spec for one in suites for spec in expand(one, folder, data_dir)]
    return records_of_specs(specs, place, executor, Console())


def records_of_specs(
    specs: Sequence[RunSpec], place: RunContext, executor: Executor | int, console: Console
) -> list[RunRecord]:
    """As `records_of`, of runs that were expanded already."""
    executor = LocalExecutor(executor) if isinstance(executor, int) else executor
    store, left = Store(place.folder), TimeLeft(executor.slots)
    with telling_disk_trouble(place.folder), store.lock():
        tally, todo = _look(list({spec.id: spec for spec in specs}.values()), store, left, console)
        _make(todo, place, executor, tally, left, console)
    return [read_run(store.runs / spec.id) for spec in specs]


def check_suite(
    suite: Suite, specs: Sequence[RunSpec], place: RunContext, data_dir: Path | None, console: Console
) -> None:
    """Raises BadInput for what no run of the suite could use: its device, loggers, networks, evaluation."""
    check_device(suite.accelerate, suite.precision, place.device)
    _check_loggers(place)
    for dataset in dict.fromkeys(spec.dataset for spec in specs):
        data = load(dataset, data_dir)
        _check_networks(suite, [spec for spec in specs if spec.dataset == dataset], data)
        _check_evaluation(suite, data, place.weights)
        if data.is_images:
            say(f"{dataset}: {data.source}", console)


def _check_loggers(place: RunContext) -> None:
    """A logger whose package is missing says so when it is made, which writes nothing yet."""
    for name in place.loggers:
        try:
            LOGGERS[name](place.folder)
        except ModuleNotFoundError as error:
            raise BadInput(f"--logger {name}: not installed; install it: pip install 'lipbench[{name}]'") from error


def _check_networks(suite: Suite, specs: Sequence[RunSpec], data: Dataset) -> None:
    """A setting that no network can have is told now, not run by run; a shape that does not suit one skips its runs."""
    for spec in {spec.architecture: spec for spec in specs}.values():
        try:
            with torch.device("meta"):
                classes = build_networks(spec, data.shape).classes
            if classes not in (0, data.classes):
                raise BadInput(f"classes={classes}: points of {data.name} end in {data.classes or 'no'} classes")
        except Unsuited:
            continue
        except BadInput as error:
            raise BadInput(f"{suite.where}: architectures: {spec.architecture_spec['name']}: {error}") from error


def _check_evaluation(suite: Suite, data: Dataset, weights: Path | None) -> None:
    """An extractor that is not at hand, or too few images for the protocol, is told now too."""
    try:
        check_evaluation(data, suite.evaluation.model_dump(), weights)
    except BadInput as error:
        raise BadInput(f"{suite.where}: evaluation: {error}") from error


def _look(
    specs: Sequence[RunSpec], store: Store, left: TimeLeft, console: Console
) -> tuple[SweepCounts, list[RunSpec]]:
    """What is there, and what is to be made: the missing, the damaged and the failed."""
    tally, todo = SweepCounts(), []
    for spec in specs:
        record = _found(spec, store, console)
        if record is None:
            todo.append(spec)
            continue
        tally.kept[record.status] += 1
        if record.measured:
            left.learn(spec, record.result["seconds"])
    return tally, todo


def _found(spec: RunSpec, store: Store, console: Console) -> RunRecord | None:
    """The record of a run that need not be made again. Raises BadInput for one that cannot be judged."""
    try:
        record = store.find(spec.id)
    except Damaged as error:
        say(f"runs again: {error}", console)
        store.set_damaged_aside(spec.id)
        return None
    if record is not None and record.status == "failed":
        store.drop(spec.id)
        return None
    return record


def _make(
    todo: Sequence[RunSpec], place: RunContext, executor: Executor, tally: SweepCounts, left: TimeLeft, console: Console
) -> None:
    if not todo:
        return
    progress = Progress(todo, console, left)
    with progress.shown(), closing(executor.execute(todo, place)) as events:
        for event in events:
            result = _result(event, place) if isinstance(event, RunFinished) else None
            if result is not None:
                tally.made[result["status"]] += 1
            progress.tell(event, result)
    forget_locks(place.folder)


def _result(event: RunFinished, place: RunContext) -> dict[str, Any]:
    """What the run left, or the record of its failure; a worker may have died after it had finished its run."""
    if isinstance(event.outcome, dict):
        return event.outcome
    return finished(place, event.spec.id) or record_failure(event.spec, place, event.outcome)


def _tell_set_aside(names: list[str], console: Console) -> None:
    if names:
        say(
            f"{len(names)} finished runs are not asked for now, or are of another version of the code or of a plug-in: "
            "moved to superseded/, out of the tables",
            console,
        )


def _about(suite: Suite, specs: Sequence[RunSpec], place: RunContext) -> dict[str, Any]:
    """The content of suite.json; `objectives` has the labels that the suite's go by in tables, in its order."""
    return {
        "name": suite.name,
        "schema_version": SCHEMA_VERSION,
        "suite": suite.model_dump(),
        "objectives": list(dict.fromkeys(spec.objective for spec in specs)),
        "version": version("lipbench"),
        "code": code_version(),
        "command": "lipbench " + " ".join(sys.argv[1:]),
        "machine": machine(place.device),
    }
