"""What a sweep would do: which runs it makes, about how long they take, how much memory. Writes nothing that stays."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from ..config.spec import RunSpec, expand
from ..config.suite import Suite
from ..records.quantities import number
from ..records.reader import RunRecord
from ..report.table_writer import Table
from ..report.terminal import print_tables
from ..run.evaluation import evaluation_steps
from .apart import apart
from .preflight import check_suite
from .progress import duration, say
from .runner import Runner

TRIAL = 20  # updates of a run that is tried


def forecast(suite: Suite, runner: Runner) -> int:
    """Prints a line for each objective of each block, from a short trial of one of its runs.

    Time for training is taken as proportional to the updates, and for measuring to the evaluations. Returns the exit
    status, 0. Raises BadInput as a sweep does.
    """
    context, console = runner.context, runner.console
    specs: list[RunSpec] = apart(suite, context.suite_folder, console, expand, suite, context)
    check_suite(suite, specs, context, console)
    todo = [spec for spec in specs if not (context.folder / "runs" / spec.id / "result.json").is_file()]
    say(f"{suite.name}: {len(specs)} runs, {len(todo)} to make, {runner.executor.where}", console)
    kinds: dict[tuple[str, ...], list[RunSpec]] = {}
    for spec in todo:
        kinds.setdefault((spec.dataset, spec.architecture, spec.recipe, spec.objective), []).append(spec)
    if not kinds:
        return 0
    records = _trials([specs[0] for specs in kinds.values()], runner)
    seconds = [expected_seconds(record, specs[0]) for record, specs in zip(records, kinds.values(), strict=True)]
    print_tables([_table(list(kinds.values()), records, seconds)], (), console)
    slots = runner.executor.slots or 1
    known = [(s, len(runs)) for s, runs in zip(seconds, kinds.values(), strict=True) if s is not None]
    memory = max((record.result.cost.peak_memory_mb or 0.0 for record in records), default=0.0)
    total = max([sum(s * n for s, n in known) / slots, *(s for s, _ in known)], default=0.0)
    say(f"About {duration(total)} in all, and up to {memory:,.0f} MB a run, {slots} at a time.", console)
    say("By trials that were made now: other work on this machine, more or less of it later, counts.", console)
    return 0


def expected_seconds(trial: RunRecord, spec: RunSpec) -> float | None:
    """What a run takes by a shorter one of its kind; None where that did not train."""
    cost, made = trial.result.cost, trial.measurements.steps
    if not trial.measured or cost.seconds_per_iteration is None:
        return None
    rest = max(0.0, cost.seconds - made * cost.seconds_per_iteration)
    evaluations = [
        len(evaluation_steps(s, e.count)) + e.repeats
        for s, e in ((made, _short(spec).evaluation), (spec.steps, spec.evaluation))
    ]
    return rest * evaluations[1] / evaluations[0] + spec.steps * cost.seconds_per_iteration


def _short(spec: RunSpec) -> RunSpec:
    return replace(spec, steps=min(TRIAL, spec.steps), evaluation=spec.evaluation.model_copy(update={"count": 1}))


def _trials(specs: Sequence[RunSpec], runner: Runner) -> list[RunRecord]:
    with TemporaryDirectory() as scratch:
        context = replace(runner.context, folder=Path(scratch), loggers=())
        return Runner(context, runner.executor, Console(quiet=True)).records([_short(spec) for spec in specs])


def _table(kinds: Sequence[Sequence[RunSpec]], records: Sequence[RunRecord], seconds: Sequence[float | None]) -> Table:
    rows = []
    for specs, record, each in zip(kinds, records, seconds, strict=True):
        block = " · ".join((specs[0].dataset, specs[0].architecture, specs[0].recipe))
        took = "–" if each is None else duration(each)
        memory = record.result.cost.peak_memory_mb
        ends = "" if record.measured else f"{record.status}: {record.result.outcome.reason}"
        rows.append([block, specs[0].objective, str(len(specs)), str(specs[0].steps), took, number(memory), ends])
    headings = ["block", "objective", "runs", "updates", "each about", "MB", ""]
    kept = [i for i in range(len(headings)) if i < 6 or any(row[i] for row in rows)]
    rows = [[row[i] for i in kept] for row in rows]
    return Table("to make", [headings[i] for i in kept], rows, labels=2, left=(0, 1, 6))
