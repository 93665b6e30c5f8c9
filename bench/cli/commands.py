"""One function per subcommand: its signature and docstring are the options and the help. What a function needs is
imported when it is called, so that no other one waits for torch. Options that several share have their help in parser.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from rich.console import Console

Kind = Literal[
    "objectives",
    "datasets",
    "architectures",
    "metrics",
    "recipes",
    "recipe-keys",
    "suites",
    "suite-keys",
    "studies",
    "extractors",
    "losses",
]


def run(
    suite: str,
    *,
    out: Path | None = None,
    add: bool = False,
    jobs: int | None = None,
    seeds: int | None = None,
    set: list[str] | None = None,
    data: Path | None = None,
    device: str = "auto",
    accelerate: Literal["none", "graph", "compile"] | None = None,
    precision: Literal["32", "tf32", "bf16"] | None = None,
    logger: list[str] | None = None,
    checkpoint_seconds: float = 60.0,
    retries: int = 0,
    time_limit: float | None = None,
    executor: Literal["local", "ray", "slurm"] = "local",
    address: str | None = None,
    gpus_per_run: float = 0.0,
    slurm: list[str] | None = None,
    detach: bool = False,
    weights: Path | None = None,
    download: bool = False,
    dry_run: bool = False,
    notes: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> int:
    """Run or resume a suite, then report on it.

    Args:
        suite: name of a suite (`lipbench list suites`) or path of a .yaml file.
        out: results folder (default: results/<suite's name>).
        add: keep the finished runs of other suites in the folder's tables.
        seeds: number of seeds, in place of the suite's.
        accelerate: each iteration as one CUDA graph, or compiled by torch (default: the suite's, or none).
        precision: of the networks in training (default: the suite's, or 32).
        logger: Lightning loggers to keep besides the records: csv, tensorboard, wandb, mlflow or pkg.mod:Class, with
            arguments as in wandb?project=gan&offline=true.
        retries: further attempts at a run whose process died or ran out of memory or time.
        time_limit: seconds an attempt at a run may take; then it is killed.
        executor: where runs are made: processes here (local), a Ray cluster, or a Slurm queue.
        address: of the Ray cluster (default: RAY_ADDRESS, else a new one on this machine).
        gpus_per_run: GPUs for each run on Ray (a fraction is fine) or Slurm.
        slurm: KEY=VALUE parameters of submitit, e.g. slurm_partition=gpu timeout_min=600 (default: a job may take 12
            hours, or five minutes more than --time-limit).
        detach: with --executor slurm, hand the runs to the queue and return; the same command later collects them.
        dry_run: tell which runs there are to make, about how long they take and how much memory, and make none.
        quiet: print nothing but mistakes.
        verbose: print a line for every run, with its id and its memory.
    """
    from ..api.suites import sweep_suite
    from ..config.suite import key_value, load_suite
    from ..run.context import RunContext

    given = {"seeds": seeds, "accelerate": accelerate, "precision": precision}
    overrides = [*(set or []), *(f"{key}={value}" for key, value in given.items() if value is not None)]
    loaded, folder = load_suite(suite, overrides)
    context = RunContext(
        out or Path("results") / loaded.name,
        loggers=tuple(logger or ()),
        checkpoint_seconds=checkpoint_seconds,
        weights=weights and weights.absolute(),
        data=data,
        suite_folder=folder,
        add=add,
    )
    options = {"jobs": jobs, "device": device, "retries": retries, "time_limit": time_limit}
    options |= {"address": address, "gpus_per_run": gpus_per_run, "detach": detach}
    options |= {"dry_run": dry_run, "notes": notes, "verbose": verbose}
    options["slurm"] = dict(key_value(pair, "slurm_partition=gpu") for pair in slurm or [])
    return sweep_suite(loaded, context, Console(quiet=quiet), _command_line(), executor, options, download)


def report(folder: Path, *, format: Literal["png", "pdf", "svg"] = "png", notes: bool = False) -> int:
    """Tables, plots and the page again, from the records alone.

    Args:
        folder: a results folder, of a suite or of studies.
        format: of the plots; pdf or svg, for papers, come beside the PNG (of a suite).
    """
    from ..report import report as write_report

    if not (folder / "suite.json").exists() and any(folder.glob("*/study.json")):
        from ..studies.catalog import STUDIES
        from ..studies.engine.report import rebuild

        rebuild(folder, STUDIES, Console())
        return 0
    write_report(folder, console=Console(), form=format, all_notes=notes)
    return 0


def merge(folders: list[Path], *, out: Path) -> int:
    """Put the runs of several results folders, as of several machines, into one.

    Args:
        folders: results folders of suites.
        out: a new folder, which gets a copy of every run, and one report.
    """
    from ..sweep.merge import merge_folders

    merge_folders(folders, out, _command_line(), Console())
    return 0


def tune(
    suite: str,
    *,
    budget: int,
    metric: str | None = None,
    out: Path | None = None,
    jobs: int | None = None,
    seeds: int | None = None,
    set: list[str] | None = None,
    data: Path | None = None,
    device: str = "auto",
    weights: Path | None = None,
    download: bool = False,
    checkpoint_seconds: float = 60.0,
) -> int:
    """Try an equal budget of random configurations per objective, and the best of each with fresh seeds.

    Args:
        suite: name of a suite or path of a .yaml file; its key `tune` declares the ranges (default: those of Lucic et
            al. 2018).
        budget: configurations for each objective.
        metric: whose tail mean is compared (default: w1 on points, fd on images, cosine on pairs).
        out: results folder (default: results/<suite's name>-tune).
        seeds: number of fresh seeds for the best (default: as many as the suite has).
    """
    from ..config.suite import load_suite

    overrides = [*(set or [])]
    if seeds is not None:
        overrides.append(f"seeds={seeds}")
    loaded, folder = load_suite(suite, overrides)

    from ..run.context import RunContext
    from ..sweep.downloads import fetch
    from ..sweep.executors import Options, choose
    from ..sweep.runner import Runner
    from ..tuning import tune as search

    if download:
        fetch(loaded.datasets, data, loaded.evaluation.extractor, weights)
    choice = choose("local", Options(jobs, device))
    where = out or Path("results") / f"{loaded.name}-tune"
    weights = weights and weights.absolute()
    context = RunContext(where, choice.device, choice.threads, (), checkpoint_seconds, weights, data, folder)
    return search(loaded, Runner(context, choice.executor, Console(), _command_line()), budget, metric)


def compare(first: Path, second: Path, *, out: Path | None = None) -> int:
    """Put two results folders side by side, paired by seed.

    Args:
        first: a results folder.
        second: another one, measured under the same protocol.
        out: folder for compare.csv and compare.md.
    """
    from ..report.compare import compare_folders

    compare_folders(first, second, out, Console())
    return 0


def study(
    ids: list[str],
    *,
    scale: Literal["quick", "full", "smoke"] = "quick",
    out: Path = Path("results/stability"),
    jobs: int | None = None,
    seeds: int | None = None,
    set: list[str] | None = None,
    data: Path | None = None,
    device: str = "auto",
    weights: Path | None = None,
    download: bool = False,
    force: bool = False,
) -> int:
    """Put the documents' claims to the test, with a verdict table.

    Args:
        ids: studies (`lipbench list studies`), or all.
        scale: quick, full, or smoke for the image studies.
        out: results folder.
        jobs: runs made at once (default: one per core, on a GPU one).
        seeds: number of seeds, in place of each study's own.
        set: KEY=VALUE, in place of the studies' option of that name at this scale; the table says so.
        device: of the image studies: auto, cpu, cuda or cuda:N; the others stay on the CPU.
        weights: file with Inception's weights, which makes FD on photographs FID.
        force: run again what is complete.
    """
    from ..api.studies import run_studies
    from ..config.suite import key_value

    return run_studies(
        ids,
        scale,
        out,
        jobs=jobs,
        seeds=seeds,
        options=dict(key_value(pair) for pair in set or []),
        data=data,
        device=device,
        weights=weights,
        download=download,
        force=force,
    )


def check(
    target: str,
    *,
    set: list[str] | None = None,
    kind: Literal["objective", "architecture", "dataset", "metric", "extractor"] | None = None,
) -> int:
    """Run the conformance kit on an objective, an architecture, a data set, a metric or an extractor.

    Args:
        target: a name, pkg.mod:Name, or path/file.py:Name.
        set: KEY=VALUE settings of it.
        kind: of the target (default: what it looks like).
    """
    from ..config.suite import key_value
    from ..conformance.target import check_target

    result = check_target(target, dict(key_value(pair) for pair in set or []), kind)
    print(result)
    return 0 if result.ok else 1


def sample(run: Path, *, n: int = 64, out: Path | None = None, seed: int = 0, asked: int | None = None) -> int:
    """Draw from a trained generator.

    Args:
        run: a run's folder, results/<suite>/runs/<id>.
        n: number of samples.
        out: .png for a picture, .pt for the tensor [n, …] (default: sample.png in the run's folder).
        seed: of the latents.
        asked: class of the samples, of a conditional generator (default: a row of each).
    """
    from ..run.sampling import sample_run

    path = sample_run(run, n, out or run / "sample.png", seed, asked)
    print(path)
    return 0


def list_(kind: Kind) -> int:
    """List what is known by name.

    Args:
        kind: what to list.
    """
    from rich.markup import escape
    from rich.table import Table

    from .catalogue import catalogue

    table = Table("name", "about")
    for name, about in catalogue(kind):
        table.add_row(escape(name), escape(about))  # brackets of a formula are no markup
    Console().print(table)
    return 0


def completion(shell: Literal["bash", "zsh"]) -> int:
    """Print a script with which the shell completes commands, options and names.

    Args:
        shell: bash, or zsh, which reads the same through its bashcompinit.
    """
    from .completion import completion_script

    print(completion_script(shell), end="")
    return 0


def _command_line() -> str:
    return " ".join(["lipbench", *sys.argv[1:]])


Command = Callable[..., int]
COMMANDS: dict[str, Command] = {
    "run": run,
    "report": report,
    "merge": merge,
    "compare": compare,
    "tune": tune,
    "study": study,
    "check": check,
    "sample": sample,
    "list": list_,
    "completion": completion,
}
