"""A sweep: what is still to be made, made in parallel, told as it goes, and reported. One run is run/'s affair."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from ...objectives.errors import BadInput
from ..config.plugins import absolute
from ..config.spec import RunSpec, expand
from ..config.suite import AUTO, Suite
from ..records.reader import Damaged, RunRecord, read_run, read_suite
from ..records.schema import SCHEMA_VERSION, RunResult
from ..records.source import stands_alone
from ..records.store import Store, telling_disk_trouble, write_json
from ..report import report
from ..report.blocks import make_blocks
from ..report.summary_text import summary_table
from ..report.terminal import print_tables
from ..run.checkpoint import resumes_at
from ..run.context import RunContext
from ..run.execution import record_failure
from ..run.hardware import machine
from .apart import apart
from .executors import Executor, LocalExecutor, RunFinished, RunQueued
from .executors.worker import finished, forget_locks
from .joining import check_joined, joined_suite, others
from .preflight import check_suite
from .progress import Progress, TimeLeft, ending, name, say
from .unchanged import remember


@dataclass
class SweepCounts:
    """How the runs of a sweep ended."""

    made: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    queued: int = 0

    def __str__(self) -> str:
        total = self.made + self.kept
        told = ", ".join(f"{total[s]} {s}" for s in ("completed", "diverged", "skipped", "failed") if total[s])
        missing = f"; {self.missing} are missing" if self.missing else ""
        missing += f"; {self.queued} in the queue, which the same command collects" if self.queued else ""
        return f"{told or 'no runs'} ({sum(self.kept.values())} of them from before){missing}"

    @property
    def status(self) -> int:
        """The exit status: 1 if a run failed or is missing, 2 if all were skipped, else 0."""
        total = self.made + self.kept
        if total["failed"] or self.missing:
            return 1
        return 2 if total.total() == total["skipped"] > 0 else 0


@dataclass
class Pending:
    """What of a sweep is still to be made, and what is known of the rest."""

    todo: list[RunSpec]
    counts: SweepCounts
    left: TimeLeft


@dataclass(frozen=True)
class Runner:
    """Makes runs in one results folder.

    Attributes:
        context: where and how; its folder gets the results.
        executor: makes the runs.
        console: gets the progress and the tables.
        command: that the sweep was started by, for the record.
        report: writes tables, plots and page.
        verbose: whether every run gets a line, with its id and its memory.
        keep: how the caller is asked to keep runs of other suites in the tables, if it can be.
    """

    context: RunContext
    executor: Executor
    console: Console
    command: str = ""
    report: Callable[..., None] = report
    verbose: bool = False
    keep: str = ""

    def sweep(self, suite: Suite, specs: Sequence[RunSpec]) -> SweepCounts:
        """Makes the runs that are missing, and reports on all; the suite gives the name and the order of the tables.

        Args:
            suite: the specifications come from it, and were checked.
            specs: all runs that the folder is to have; others are set aside, but where the context says `add`.
        """
        folder, store = self.context.folder, Store(self.context.folder)
        with telling_disk_trouble(folder), store.lock():
            kept = self._added_to(specs, store) if self.context.add else set()
            about = self._about(suite, specs)
            if kept:
                about |= joined_suite([read_suite(folder), about])
            self._tell_set_aside(store.set_aside(kept | {spec.id for spec in specs}))
            write_json(folder / "suite.json", about)
            pending = self._look(specs, store)
            where = f"{self.executor.where}; results in {folder}"
            say(f"{suite.name}: {len(specs)} runs, {len(pending.todo)} to make, {where}", self.console)
            self._make(pending, specs)
            missing = sum(not (store.runs / spec.id / "result.json").is_file() for spec in specs)
            pending.counts.missing = max(0, missing - pending.counts.queued)
            reported = missing < len(specs) or not pending.counts.queued
            if reported:
                self.report(folder, console=self.console)
        say(f"{pending.counts}.{f' Report: {folder}/report.html' if reported else ''}", self.console)
        return pending.counts

    def records(self, specs: Sequence[RunSpec]) -> list[RunRecord]:
        """The records of these runs, of which the missing are made first; no tables.

        Several callers may share one results folder, and a run: those of others stay where they are.
        """
        store = Store(self.context.folder)
        with telling_disk_trouble(self.context.folder), store.lock():
            self._make(self._look(list({spec.id: spec for spec in specs}.values()), store))
        return [read_run(store.runs / spec.id) for spec in specs]

    def _added_to(self, specs: Sequence[RunSpec], store: Store) -> set[str]:
        """The ids of the finished runs that these are to stand beside. Raises BadInput where one table cannot do."""
        asked = [json.loads(json.dumps(spec.record())) for spec in specs]  # as it is read again
        there = others(asked, store)
        check_joined([*(("what is there", r.spec) for r in there), *(("what is added", spec) for spec in asked)])
        return {record.id for record in there}

    def _tell_set_aside(self, names: Sequence[str]) -> None:
        if not names:
            return
        keep = f", and with {self.keep} those of other suites stay in the tables" if self.keep else ""
        say(
            f"{len(names)} finished runs are not asked for now, or are of another version of the code or of a plug-in: "
            f"moved to superseded/, out of the tables; asking for them again brings them back{keep}",
            self.console,
        )

    def _look(self, specs: Sequence[RunSpec], store: Store) -> Pending:
        """To be made are the missing, the damaged and the failed, but for those that nobody has heard of yet."""
        pending = Pending([], SweepCounts(), TimeLeft(self.executor.slots))
        there = {spec.id: self._found(spec, store) for spec in specs}
        collected = self.executor.collect([run for run, record in there.items() if record is not None], self.context)
        for spec in specs:
            record = self._kept(spec, there[spec.id], spec.id in collected, store)
            if record is None:
                pending.todo.append(spec)
                self._tell_step(spec, store)
                continue
            pending.counts.kept[record.status] += 1
            if record.measured:
                pending.left.learn(spec, record.result.cost.seconds)
        return pending

    def _found(self, spec: RunSpec, store: Store) -> RunRecord | None:
        """The record that is there. Raises BadInput for one that cannot be judged."""
        try:
            return store.find(spec.id)
        except Damaged as error:
            say(f"runs again: {error}", self.console)
            store.set_damaged_aside(spec.id)
            return None

    def _kept(self, spec: RunSpec, record: RunRecord | None, collected: bool, store: Store) -> RunRecord | None:
        """The record of a run that need not be made again, or not before somebody has been told how it failed."""
        if record is None or record.status != "failed":
            return record
        if collected:
            say(f"{name(spec)}: {ending(record.result.outcome)}; the same command tries it again", self.console)
            return record
        store.reopen(spec.id)
        return None

    def _tell_step(self, spec: RunSpec, store: Store) -> None:
        step = resumes_at(store.unfinished(spec.id))
        if step:
            say(f"{name(spec)}: goes on from step {step} of {spec.steps}", self.console)

    def _make(self, pending: Pending, tables: Sequence[RunSpec] = ()) -> None:
        """Makes them; of the runs `tables`, prints each block's table once its last run is done, while others wait."""
        if not pending.todo:
            return
        left = {spec.id: spec for spec in pending.todo}
        progress = Progress(pending.todo, self.console, pending.left, self.verbose)
        with progress.shown(), closing(self.executor.execute(pending.todo, self.context)) as events:
            for event in events:
                result = self._result(event) if isinstance(event, RunFinished) else None
                if result is not None:
                    pending.counts.made[result.outcome.status] += 1
                progress.tell(event, result)
                pending.counts.queued += isinstance(event, RunQueued)
                if result is None:
                    continue
                del left[event.spec.id]
                block = _block(event.spec)
                if left and block not in map(_block, left.values()):
                    self._print_block([spec for spec in tables if _block(spec) == block])
        if not pending.counts.queued:
            forget_locks(self.context.folder)

    def _print_block(self, specs: Sequence[RunSpec]) -> None:
        """Its notes come with the report at the end."""
        if not specs:
            return
        folder = self.context.folder
        with suppress(BadInput):  # the report says what is wrong, once all runs are made
            records = [read_run(folder / "runs" / spec.id) for spec in specs]
            print_tables(map(summary_table, make_blocks(records, read_suite(folder))), (), self.console)

    def _result(self, event: RunFinished) -> RunResult:
        """What the run left, or the record of its failure; a worker may have died after it had finished its run."""
        if isinstance(event.outcome, RunResult):
            return event.outcome
        return finished(self.context, event.spec.id) or record_failure(event.spec, self.context, event.outcome)

    def _about(self, suite: Suite, specs: Sequence[RunSpec]) -> dict[str, Any]:
        """The content of suite.json; `objectives` has the labels that the suite's go by in tables, in its order."""
        return {
            "name": suite.name,
            "schema_version": SCHEMA_VERSION,
            "suite": suite.model_dump(),
            "runs": [spec.id for spec in specs],
            "objectives": list(dict.fromkeys(spec.objective for spec in specs)),
            "version": version("lipbench"),
            "date": datetime.now(UTC).date().isoformat(),
            "command": self.command,
            "machine": machine(self.context.device),
        }


def _block(spec: RunSpec) -> tuple[str, str, str]:
    """The table that a run belongs to."""
    return spec.dataset, spec.architecture, spec.recipe


def sweep(suite: Suite, runner: Runner) -> int:
    """Makes the runs of a suite that are not there yet, and reports on all of them.

    Args:
        suite: what to compare.
        runner: makes the runs.

    Returns:
        The exit status: 1 if a run failed, else 0.

    Raises:
        BadInput: for anything in the suite that cannot be used, before the first run is made.
    """
    context = runner.context
    specs: list[RunSpec] = apart(suite, context.suite_folder, runner.console, expand, suite, context)
    check_suite(suite, specs, context, runner.console)
    counts = runner.sweep(suite, specs)
    if not counts.status and not counts.queued and all(known_again(spec, suite) for spec in specs):
        targets = {absolute(target, context.suite_folder) for spec in specs for target in spec.outside}
        if all(stands_alone(target) for target in targets):
            plugins = {Path(target.rpartition(":")[0]) for target in targets}
            remember(suite, context, counts.made + counts.kept, plugins)
    return counts.status


def records_of(
    suite: Suite | Sequence[Suite], context: RunContext, executor: Executor | int, console: Console | None = None
) -> list[RunRecord]:
    """As `Runner.records`, of the suites' runs in the order of their cells. For studies.

    A number for `executor` stands for so many worker processes here.
    """
    executor = LocalExecutor(executor) if isinstance(executor, int) else executor
    suites = [suite] if isinstance(suite, Suite) else suite
    specs = [spec for one in suites for spec in expand(one, context)]
    return Runner(context, executor, console or Console()).records(specs)


def known_again(spec: RunSpec, suite: Suite) -> bool:
    """Whether `unchanged` sees all that decides what the run computes.

    It does not see what else a package has in it, what a file imports from beside it, a user's own pictures, whether a
    data set that another one stood in for has come since, or the device, which decides what `accelerate: auto` is.
    """
    if suite.accelerate == AUTO:
        return False
    alone = all(target.rpartition(":")[0].endswith(".py") for target in spec.plugins)
    return alone and spec.content is None and spec.dataset in suite.datasets
