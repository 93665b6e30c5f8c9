"""Runs a suite, for the command line and for Python alike. Imports no torch before there is something to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ...objectives.errors import BadInput
from ..config.suite import Named, Suite, load_suite, make_suite
from ..run.context import RunContext
from ..sweep.unchanged import nothing_to_do
from .targets import interactive, named

if TYPE_CHECKING:
    from ..sweep.executors import Options
    from .results import Results

CALL = "run_suite"  # stands for the command in records of sweeps that are started from Python


def run_suite(
    suite: Suite | Mapping[str, Any] | str | Path,
    *,
    out: str | Path | None = None,
    add: bool = False,
    jobs: int | None = None,
    device: str = "auto",
    data: str | Path | None = None,
    weights: str | Path | None = None,
    download: bool = False,
    loggers: Sequence[Named] = (),
    checkpoint_seconds: float = 60.0,
    console: Console | None = None,
    **options: Any,
) -> Results:
    """Runs or resumes a suite as `lipbench run` does, and reports on it.

    Args:
        suite: its keys as a mapping, in which classes and functions may stand for their names; the path of a .yaml
            file; the name of a suite of lipbench's; or a `Suite`.
        out: results folder; by default results/<suite's name>.
        add: keeps finished runs of other suites in the folder's tables.
        jobs: runs made at once; by default one per core on a CPU, one per GPU.
        device: auto, cpu, cuda (every GPU, in turn) or cuda:N.
        data: folder of the data sets that are kept in files; by default ~/.cache/lipbench.
        weights: file with Inception's weights.
        download: fetches what is missing of data sets and weights.
        loggers: Lightning loggers, as `--logger` takes them, or mappings {name: …, argument: …}.
        checkpoint_seconds: time between two checkpoints of a run.
        console: gets the progress and the tables; by default the terminal or the notebook.
        options: retries, time_limit, executor, address, gpus_per_run, slurm, detach, notes and verbose, as of `lipbench
            run`.

    Returns:
        What is in the results folder now. A run that failed raises nothing: its status says so.

    Raises:
        BadInput: for anything that cannot be used, before the first run is made.
    """
    loaded, folder = _loaded(suite, out)
    if interactive(loaded.model_dump()):  # no other process has what a notebook defines
        if (jobs or 1) > 1 or options.get("executor", "local") != "local":
            raise BadInput(
                "a class of a notebook or script runs in its process alone: give jobs=1, or put it into a file"
            )
        jobs = 1
    context = RunContext(
        Path(out or Path("results") / loaded.name),
        loggers=tuple(loggers),
        checkpoint_seconds=checkpoint_seconds,
        weights=None if weights is None else Path(weights).absolute(),
        data=None if data is None else Path(data),
        suite_folder=folder,
        add=add,
    )
    executor = str(options.pop("executor", "local"))
    sweep_suite(
        loaded, context, console or Console(), CALL, executor, {"jobs": jobs, "device": device, **options}, download
    )
    from .results import Results

    return Results(context.folder)


def merge(folders: Iterable[str | Path | Results], *, out: str | Path, console: Console | None = None) -> Results:
    """Puts the runs of several results folders, as of several machines, into a new one, as `lipbench merge` does.

    Args:
        folders: results folders of suites, or what `run_suite` and `open_results` gave.
        out: the new folder, which gets a copy of every run, and one report.
        console: gets notes and tables; by default the terminal or the notebook.

    Returns:
        What is in the new folder.

    Raises:
        BadInput: where the runs were not made and measured alike, `out` holds runs already, or a record is damaged.
    """
    if isinstance(folders, str | Path):
        raise BadInput(f"merge: '{folders}' is one folder: give a list of them")
    paths = [Path(one) if isinstance(one, str | Path) else one.folder for one in folders]
    if not paths:
        raise BadInput("merge: no folder is given")
    from ..sweep.merge import merge_folders
    from .results import Results

    merge_folders(paths, Path(out), "merge", console or Console())
    return Results(Path(out))


def sweep_suite(
    suite: Suite,
    context: RunContext,
    console: Console,
    command: str,
    executor: str,
    options: Mapping[str, Any],
    download: bool,
) -> int:
    """Makes the missing runs of a suite and reports on all, or says that there is nothing to do.

    Args:
        suite: what to run.
        context: where and how; device and threads are chosen here.
        console: gets progress and tables.
        command: what the record says the sweep was started by.
        executor: local, ray or slurm.
        options: fields of `Options`, with `retries` and `time_limit` in place of its limits; `dry_run` makes no run and
            tells what would be made, `notes` prints them all, `verbose` has a line for every run.
        download: whether to fetch what is missing.

    Returns:
        The exit status: 1 if a run failed, else 0.
    """
    options = dict(options)
    dry, notes, verbose = (bool(options.pop(name, False)) for name in ("dry_run", "notes", "verbose"))
    if _settled(suite.name, nothing_to_do(suite, context), context.folder, console):
        return 0
    from ..report import report
    from ..sweep.downloads import fetch
    from ..sweep.executors import choose
    from ..sweep.runner import Runner, sweep

    if download:
        fetch(suite.datasets, context.data, suite.evaluation.extractor, context.weights)
    choice = choose(executor, _options(options))
    context = replace(context, device=choice.device, threads=choice.threads)
    keep = "add=True" if command == CALL else "--add"
    runner = Runner(context, choice.executor, console, command, partial(report, all_notes=notes), verbose, keep)
    if not dry:
        return sweep(suite, runner)
    from ..sweep.forecast import forecast

    if executor != "local":
        raise BadInput(f"dry run: for the executor local, which can try a run; this is {executor}")
    return forecast(suite, runner)


def _options(given: Mapping[str, Any]) -> Options:
    from ..sweep.executors import Limits, Options

    more = {key: value for key, value in given.items() if key not in ("retries", "time_limit")}
    try:
        return Options(limits=Limits(given.get("retries", 0), given.get("time_limit")), **more)
    except TypeError as error:
        raise BadInput(f"run_suite: {str(error).rpartition('__init__() ')[2]}") from error


def _loaded(suite: Suite | Mapping[str, Any] | str | Path, out: str | Path | None) -> tuple[Suite, Path]:
    """The suite, and the folder that its relative paths start from."""
    if isinstance(suite, Suite):
        return suite, Path()
    if isinstance(suite, Mapping):
        content = {"name": Path(out).name if out else "", **named(suite)}
        if not content["name"]:
            raise BadInput("run_suite: give the suite a 'name', or say where its results go: out=")
        return make_suite(content, f"suite '{content['name']}'"), Path()
    return load_suite(str(suite))


def _settled(name: str, ended: Counter[str] | None, out: Path, console: Console) -> bool:
    """Whether there is nothing to do, as `nothing_to_do` tells; then that has been said."""
    if ended is None:
        return False
    told = ", ".join(f"{count} {status}" for status, count in ended.items())
    for line in (
        f"{name}: {ended.total()} runs, 0 to make, and nothing has changed since the last report: {told}.",
        f"Report: {out}/report.html; the tables once more: lipbench report {out}",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return True
