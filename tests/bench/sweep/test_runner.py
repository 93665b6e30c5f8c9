"""Sweeps: what is made and what is kept, that nothing finished is lost or mixed, and what a failing run does."""

import csv
import io
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl
from pytorch_lightning import loggers
from rich.console import Console

from lipbench.bench.config.entry_points import installed
from lipbench.bench.config.spec import expand
from lipbench.bench.config.suite import Suite
from lipbench.bench.records.checksums import write_sums
from lipbench.bench.records.reader import RunRecord, read_runs
from lipbench.bench.records.store import Store
from lipbench.bench.run.context import RunContext
from lipbench.bench.sweep.executors.local import LocalExecutor, exit_in_words
from lipbench.bench.sweep.runner import Runner, known_again, records_of, sweep
from lipbench.bench.sweep.unchanged import nothing_to_do
from lipbench.objectives import BadInput

MakeSuite = Callable[..., Suite]
Sweep = Callable[..., int]
WritePlugin = Callable[..., Path]
BOTH: dict[str, Any] = {"objectives": ["minimax", "wgan-gp"], "steps": 2, "evaluation": {"count": 1, "points": 50}}
FAILS = "def penalty(self, critic, batch):\n    if batch.step == 3:\n        raise ZeroDivisionError('on purpose')"


@pytest.fixture
def printed() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def quiet() -> None:
    """Sweeps of tests that use this make no tables and plots."""


@pytest.fixture
def sweep_tiny(
    make_suite: MakeSuite, context: RunContext, tmp_path: Path, printed: io.StringIO, request: pytest.FixtureRequest
) -> Sweep:
    """Sweeps a tiny suite whose plug-ins lie in tmp_path, into tmp_path/out."""
    how: dict[str, Any] = {"report": lambda folder, console: None} if "quiet" in request.fixturenames else {}

    def make(where: RunContext = context, jobs: int = 1, terminal: bool = False, /, **content: Any) -> int:
        printed.seek(0)
        printed.truncate()
        console = Console(file=printed, force_terminal=terminal, width=80)
        here = replace(where, suite_folder=tmp_path)
        return sweep(make_suite(**BOTH | content), Runner(here, LocalExecutor(jobs), console, **how))

    return make


def by_objective(context: RunContext) -> dict[str, RunRecord]:
    return {record.objective: record for record in read_runs(context.folder)}


def table(context: RunContext) -> list[dict[str, str]]:
    """runs.csv without its times."""
    rows = csv.DictReader(io.StringIO((context.folder / "runs.csv").read_text(encoding="utf-8")))
    return [{k: v for k, v in row.items() if "seconds" not in k and k != "peak_memory_mb"} for row in rows]


def test_sweep_leaves_records_tables_plots_and_a_page(
    sweep_tiny: Sweep, context: RunContext, printed: io.StringIO
) -> None:
    assert sweep_tiny() == 0
    names = {p.name for p in context.folder.iterdir() if not p.name.startswith(".")}
    tables = {"runs.csv", "summary.csv", "summary.md", "summary.tex"}
    assert names == tables | {"runs", "suite.json", "plots", "report.html"}
    assert {r.status for r in read_runs(context.folder)} == {"completed"}
    about = json.loads((context.folder / "suite.json").read_text())
    assert about["suite"]["objectives"] == ["minimax", "wgan-gp"]
    assert about["objectives"] == ["minimax", "wgan-gp"]
    assert about["machine"]["cores"] == os.cpu_count()
    lines = printed.getvalue().splitlines()
    assert lines[0] == f"small: 2 runs, 2 to make, 1 at a time; results in {context.folder}"
    assert lines[1].startswith("[1/2] 8gaussians minimax fast seed 0: completed, ")
    assert lines[2].startswith("[2/2] 8gaussians wgan-gp fast seed 0: completed, ")
    assert lines[-1] == f"2 completed (0 of them from before). Report: {context.folder}/report.html"


def test_sweep_prints_the_table_of_a_block_before_the_runs_of_the_next(sweep_tiny: Sweep, printed: io.StringIO) -> None:
    datasets = ["8gaussians", "25gaussians"]
    assert sweep_tiny(datasets=datasets, objectives=["wgan-gp", "minimax"], seeds=2) == 0
    lines = printed.getvalue().splitlines()
    titles = [
        (i, line.split()[0]) for i, line in enumerate(lines) if line.startswith(tuple(f"{d} ·" for d in datasets))
    ]
    done = [i for i, line in enumerate(lines) if line.startswith("[")]
    early = [name for i, name in titles if done[3] < i < done[4]]
    assert len(done) == 8
    assert set(early) == {"8gaussians"}
    assert {name for i, name in titles if i > done[-1]} == set(datasets)  # all at the end, with the notes
    assert not [i for i, _ in titles if i < done[3]]
    rows = [line.split()[0] for line in lines[done[3] : done[4]] if line.startswith("  ") and line.strip()]
    assert rows.index("wgan-gp") < rows.index("minimax")  # as in the suite


def test_sweep_again_makes_nothing_and_leaves_the_same_tables(
    sweep_tiny: Sweep, context: RunContext, optimizer_steps: list[int], printed: io.StringIO
) -> None:
    sweep_tiny()
    files = {p: p.stat().st_mtime_ns for p in (context.folder / "runs").rglob("*")}
    before = {name: (context.folder / name).read_bytes() for name in ("runs.csv", "summary.csv", "summary.md")}
    optimizer_steps.clear()
    assert sweep_tiny() == 0
    assert not optimizer_steps
    assert {p: p.stat().st_mtime_ns for p in (context.folder / "runs").rglob("*")} == files
    assert {name: (context.folder / name).read_bytes() for name in before} == before
    assert "2 runs, 0 to make" in printed.getvalue()
    assert "2 completed (2 of them from before)" in printed.getvalue()


MEDDLES = """
import pytorch_lightning as pl

class Meddler(pl.Callback):
    def on_train_start(self, trainer, module):
        for parameter in module.parameters():
            parameter.data.zero_()

def callbacks():
    return [Meddler()]
"""


@pytest.mark.usefixtures("quiet")
def test_sweep_leaves_out_callbacks_that_packages_register_with_lightning(
    sweep_tiny: Sweep,
    context: RunContext,
    printed: io.StringIO,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert sweep_tiny() == 0
    undisturbed = by_objective(context)
    site = tmp_path / "site" / "meddler-1.0.dist-info"
    site.mkdir(parents=True)
    (site.parent / "meddles.py").write_text(MEDDLES)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: meddler\nVersion: 1.0\n")
    (site / "entry_points.txt").write_text("[pytorch_lightning.callbacks_factory]\nzeros = meddles:callbacks\n")
    monkeypatch.syspath_prepend(site.parent)
    installed.cache_clear()
    assert "Meddler" in str(vars(pl.Trainer(logger=False, accelerator="cpu"))["callbacks"])
    capfd.readouterr()
    try:
        assert sweep_tiny(replace(context, folder=tmp_path / "again")) == 0
    finally:
        installed.cache_clear()
    (line,) = [line for line in printed.getvalue().splitlines() if "Lightning" in line]
    assert line.endswith("callbacks that packages register with Lightning: zeros from the package meddler")
    assert "entry point" not in "".join(capfd.readouterr())  # in which Lightning would say that it adds them
    for record in read_runs(tmp_path / "again"):
        before = undisturbed[record.objective].history
        assert record.history.drop(columns="seconds").equals(before.drop(columns="seconds"))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", ["history.csv", "result.json", "samples.npz", "spec.json"])
def test_sweep_makes_a_record_that_was_cut_in_half_again_and_says_so(
    sweep_tiny: Sweep, context: RunContext, optimizer_steps: list[int], printed: io.StringIO, name: str
) -> None:
    sweep_tiny()
    before = by_objective(context)
    path = before["wgan-gp"].folder / name
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)
    untouched = (before["minimax"].folder / "result.json").stat().st_mtime_ns
    optimizer_steps.clear()
    assert sweep_tiny() == 0
    assert optimizer_steps and (before["minimax"].folder / "result.json").stat().st_mtime_ns == untouched
    assert f"runs again: damaged record {path}" in printed.getvalue()
    assert (context.folder / "superseded" / f"{before['wgan-gp'].id}.damaged" / name).read_bytes() == half
    again = by_objective(context)
    assert again.keys() == before.keys()
    for name, record in again.items():
        assert record.history.drop(columns="seconds").equals(before[name].history.drop(columns="seconds"))
        assert record.metrics == before[name].metrics


@pytest.mark.usefixtures("quiet")
def test_sweep_leaves_a_record_that_it_cannot_judge_where_it_is(sweep_tiny: Sweep, context: RunContext) -> None:
    sweep_tiny()
    path = by_objective(context)["wgan-gp"].folder / "spec.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 2}))
    write_sums(path.parent, ["spec.json", "result.json", "history.csv", "samples.npz"])
    with pytest.raises(BadInput, match=r"spec\.json: written by another version of lipbench: schema_version 2, .*"):
        sweep_tiny()
    assert json.loads(path.read_text())["schema_version"] == 2


@pytest.mark.usefixtures("quiet")
def test_sweep_of_a_changed_suite_sets_runs_aside_and_brings_them_back(
    sweep_tiny: Sweep, context: RunContext, optimizer_steps: list[int], printed: io.StringIO
) -> None:
    sweep_tiny()
    first = {record.id for record in read_runs(context.folder)}
    assert sweep_tiny(steps=3) == 0
    assert "2 finished runs are not asked for now" in printed.getvalue()
    assert {p.name for p in (context.folder / "superseded").iterdir()} == first
    assert not first & {record.id for record in read_runs(context.folder)}
    optimizer_steps.clear()
    assert sweep_tiny() == 0
    assert not optimizer_steps
    assert {record.id for record in read_runs(context.folder)} == first


@pytest.mark.usefixtures("quiet")
def test_sweep_adds_seeds_to_what_is_there(sweep_tiny: Sweep, context: RunContext, optimizer_steps: list[int]) -> None:
    sweep_tiny()
    first = len(optimizer_steps)
    assert sweep_tiny(seeds=[0, 1]) == 0
    assert len(optimizer_steps) == 2 * first
    assert sorted((r.objective, r.seed) for r in read_runs(context.folder)) == [
        ("minimax", 0), ("minimax", 1), ("wgan-gp", 0), ("wgan-gp", 1),
    ]  # fmt: skip


@pytest.mark.usefixtures("quiet")
def test_sweep_makes_the_runs_of_a_changed_plugin_again(
    sweep_tiny: Sweep, write_plugin: WritePlugin, context: RunContext, optimizer_steps: list[int]
) -> None:
    write_plugin("x = 1")
    sweep_tiny(objectives=["minimax", "my.py:Mine"])
    before = by_objective(context)
    write_plugin("x = 2")
    optimizer_steps.clear()
    sweep_tiny(objectives=["minimax", "my.py:Mine"])
    after = by_objective(context)
    assert not optimizer_steps
    assert {name: after[name].id == before[name].id for name in before} == {"minimax": True, "mine": False}
    assert len(list((context.folder / "superseded").iterdir())) == 1


def test_tables_of_a_sweep_have_variants_and_plugins_in_the_suites_order(
    sweep_tiny: Sweep, write_plugin: WritePlugin, context: RunContext
) -> None:
    write_plugin("x = 1")
    variants = [{"name": "wgan-gp", "weight": weight} for weight in (10.0, 0.1)]
    assert sweep_tiny(objectives=[variants[0], "my.py:Mine", variants[1], "minimax"]) == 0
    labels = ["wgan-gp(weight=10)", "mine", "wgan-gp(weight=0.1)", "minimax"]
    assert [row["objective"] for row in table(context)] == labels


def test_sweep_in_a_folder_where_another_is_at_work_is_refused(sweep_tiny: Sweep, context: RunContext) -> None:
    with Store(context.folder).lock(), pytest.raises(BadInput, match="another command is at work in this folder"):
        sweep_tiny()
    assert not read_names(context)


def read_names(context: RunContext) -> list[str]:
    return [p.name for p in (context.folder / "runs").iterdir()]


def test_sweep_goes_on_after_a_run_that_fails_and_its_status_says_so(
    sweep_tiny: Sweep, write_plugin: WritePlugin, context: RunContext, optimizer_steps: list[int], printed: io.StringIO
) -> None:
    write_plugin(FAILS)
    content = {"objectives": ["my.py:Mine", "minimax"], "steps": 5}
    assert sweep_tiny(**content) == 1
    records = by_objective(context)
    assert {name: r.status for name, r in records.items()} == {"mine": "failed", "minimax": "completed"}
    assert records["mine"].result.outcome.reason == "ZeroDivisionError: on purpose at my.py:10"
    assert "my.py" in str(records["mine"].result.outcome.traceback)
    told = printed.getvalue()
    assert "[2/2] 8gaussians mine fast seed 0: failed (ZeroDivisionError: on purpose at my.py:10), " in told
    assert "1 completed, 1 failed" in told
    assert {row["objective"]: row["status"] for row in table(context)} == {"mine": "failed", "minimax": "completed"}
    optimizer_steps.clear()
    assert sweep_tiny(**content) == 1
    assert not optimizer_steps
    assert "2 runs, 1 to make" in printed.getvalue()


def test_sweep_whose_runs_all_fail_still_reports(
    sweep_tiny: Sweep, write_plugin: WritePlugin, context: RunContext
) -> None:
    write_plugin(FAILS)
    assert sweep_tiny(objectives=["my.py:Mine"], steps=5) == 1
    assert [row["status"] for row in table(context)] == ["failed"]
    assert (context.folder / "report.html").exists()


def test_sweep_shows_skipped_runs_with_their_reason(
    sweep_tiny: Sweep, write_plugin: WritePlugin, context: RunContext, printed: io.StringIO
) -> None:
    write_plugin()
    content = {"objectives": ["minimax", "my.py:Mine"], "recipe": "published", "seeds": [0]}
    assert sweep_tiny(**content) == 0
    rows = {row["objective"]: row for row in table(context)}
    reason = "recipe 'published' says nothing about mine on points: give its own, or use 'matched'"
    assert (rows["mine"]["status"], rows["mine"]["reason"]) == ("skipped", reason)
    assert rows["minimax"]["status"] == "completed"
    assert f"skipped ({reason})" in printed.getvalue()
    assert sweep_tiny(**content) == 0
    assert "0 to make" in printed.getvalue()


@pytest.mark.usefixtures("quiet")
def test_sweep_skips_networks_that_do_not_suit_the_data(sweep_tiny: Sweep, context: RunContext) -> None:
    assert sweep_tiny(objectives=["minimax"], architectures=["dcgan", {"name": "mlp", "width": 8}]) == 0
    assert {r.spec["architecture"]: r.status for r in read_runs(context.folder)} == {
        "dcgan": "skipped", "mlp-3x8": "completed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"architectures": [{"name": "mlp", "width": 0}]}, r"suite 'small': architectures: mlp: width=0: must be .*"),
        (
            {"architectures": {"8gaussians": {"name": "mlp", "activation": "rellu"}}},
            r"suite 'small': architectures: mlp: unknown activation 'rellu' \(did you mean 'relu'\?\); known: .*",
        ),
        (
            {"datasets": "ring5", "architectures": [{"name": "mlp", "classes": 6}]},
            r"suite 'small': architectures: mlp: classes=6: ring5 has 5 classes: must be 5, or auto",
        ),
        (
            {"datasets": "swissroll", "architectures": [{"name": "mlp", "classes": 2}]},
            r"suite 'small': architectures: mlp: classes=2: swissroll has no labels, or samples without one",
        ),
        (
            {"datasets": "swissroll", "architectures": [{"name": "mlp", "classes": "auto"}]},
            r"suite 'small': classes=auto: swissroll has no labels, or samples without one",
        ),
        (
            {"datasets": "8gaussians", "architectures": [{"name": "mlp", "classes": 1}]},
            r"suite 'small': architectures: mlp: classes=1: one class is no condition: must be 0 .*",
        ),
        (
            {"architectures": [{"name": "mlp", "width": 10**19}]},
            r"suite 'small': architectures: mlp: width=10+: must be at most 1000000",
        ),
        (
            {"architectures": [{"name": "mlp", "offset": float("inf")}]},
            r"suite 'small': architectures: mlp: offset=inf: Input should be a finite number",
        ),
        ({"objectives": ["minmax"]}, r"suite 'small': objectives: unknown objective 'minmax' .*"),
    ],
)
def test_sweep_tells_what_cannot_be_used_before_anything_is_written(
    sweep_tiny: Sweep, context: RunContext, content: dict[str, Any], line: str
) -> None:
    with pytest.raises(BadInput, match=line):
        sweep_tiny(**content)
    assert not context.folder.exists()


def test_sweep_tells_that_a_logger_is_not_installed_before_anything_is_written(
    sweep_tiny: Sweep, context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = type("Missing", (loggers.TensorBoardLogger,), {"__init__": Mock(side_effect=ModuleNotFoundError)})
    monkeypatch.setattr(loggers, "TensorBoardLogger", missing)
    line = r"logger 'tensorboard': not installed; install it: pip install 'lipbench\[tensorboard\]'$"
    with pytest.raises(BadInput, match=line):
        sweep_tiny(replace(context, loggers=("csv", "tensorboard")))
    assert not context.folder.exists()


def test_sweep_tells_that_a_data_folder_is_missing_before_anything_is_written(
    make_suite: MakeSuite, context: RunContext, tmp_path: Path
) -> None:
    here = replace(context, data=tmp_path / "absent")
    runner = Runner(here, LocalExecutor(), Console(file=io.StringIO()))
    with pytest.raises(BadInput, match=f"mnist: there is no folder {tmp_path / 'absent'}"):
        sweep(make_suite(datasets=["mnist"]), runner)
    assert not context.folder.exists()


@pytest.mark.parametrize(
    ("found", "remembered"),
    [
        ({}, True),
        ({"objective_target": "my.py:Mine", "source": "a hash"}, True),
        ({"objective_target": "pkg.mod:Class", "source": "0"}, False),
        ({"content": "a hash"}, False),  # a user's own pictures may be others next time
        ({"dataset": "25gaussians"}, False),  # stood in for what was asked for, which may be there next time
    ],
)
def test_run_is_known_again_only_if_a_request_shows_all_that_decides_it(
    make_suite: MakeSuite, context: RunContext, found: dict[str, Any], remembered: bool
) -> None:
    suite = make_suite()
    (spec,) = expand(suite, context)
    assert known_again(replace(spec, **found), suite) is remembered
    assert not known_again(replace(spec, **found), make_suite(accelerate="auto"))  # decided for the device


def test_sweep_is_remembered_with_the_files_of_its_plugins(
    make_suite: MakeSuite, write_plugin: WritePlugin, context: RunContext
) -> None:
    write_plugin()
    suite = make_suite(objectives=["my.py:Mine"], steps=1)
    assert nothing_to_do(suite, context) is None
    assert sweep(suite, Runner(context, LocalExecutor(), Console(file=io.StringIO()))) == 0
    assert nothing_to_do(suite, context) == {"completed": 1}
    write_plugin("x = 1")
    assert nothing_to_do(suite, context) is None


@pytest.mark.usefixtures("quiet")
def test_sweep_that_is_interrupted_goes_on_from_where_it_was(
    sweep_tiny: Sweep, careful: RunContext, interrupt_at: Any, optimizer_steps: list[int]
) -> None:
    before = signal.getsignal(signal.SIGINT)  # a shell starts what it puts into the background with Ctrl-C ignored
    with interrupt_at(3), pytest.raises(KeyboardInterrupt):
        sweep_tiny(careful, steps=5)
    assert signal.getsignal(signal.SIGINT) is before
    assert sweep_tiny(careful, steps=5) == 0
    made = optimizer_steps.copy()
    optimizer_steps.clear()
    assert sweep_tiny(replace(careful, folder=careful.folder / "undisturbed"), steps=5) == 0
    assert made == optimizer_steps


@pytest.mark.usefixtures("quiet")
def test_sweep_on_a_full_disk_stops_and_goes_on_another_time(
    sweep_tiny: Sweep, context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)  # of the weights
        with pytest.raises(BadInput, match="No space left on device; the same command goes on from here"):
            sweep_tiny()
    assert sweep_tiny() == 0
    assert len(read_runs(context.folder)) == 2


@pytest.mark.usefixtures("quiet")
def test_sweep_on_a_terminal_shows_a_bar_and_only_trouble_in_words(
    sweep_tiny: Sweep, write_plugin: WritePlugin, printed: io.StringIO
) -> None:
    write_plugin(FAILS)
    sweep_tiny(RunContext(write_plugin().parent / "out"), 1, True, objectives=["minimax"])
    assert "2/2" not in printed.getvalue()
    assert "1/1" in printed.getvalue()
    assert "[1/1]" not in printed.getvalue()
    write_plugin(FAILS)
    sweep_tiny(RunContext(write_plugin(FAILS).parent / "out"), 1, True, objectives=["my.py:Mine"], steps=5)
    assert "[1/1] 8gaussians mine fast seed 0: failed (ZeroDivisionError: on purpose at" in printed.getvalue()


def test_records_of_studies_come_in_the_order_of_the_cells(
    make_suite: MakeSuite, context: RunContext, optimizer_steps: list[int]
) -> None:
    suites = [make_suite(**BOTH | {"objectives": [name], "steps": 2, "name": name}) for name in ("wgan-gp", "minimax")]
    records = records_of(suites, context, 1)
    assert [r.objective for r in records] == ["wgan-gp", "minimax"]
    first = len(optimizer_steps)
    optimizer_steps.clear()
    again = records_of([*suites, make_suite(**BOTH | {"objectives": ["minimax"], "steps": 1})], context, 1)
    assert [r.id for r in again[:2]] == [r.id for r in records]
    assert 4 * len(optimizer_steps) == first  # one run of one update, where there were two of two
    assert not (context.folder / "superseded").exists()
    assert not (context.folder / "suite.json").exists()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (3, "exit status 3"),
        (-9, "SIGKILL, as when memory runs out"),
        (-11, "SIGSEGV"),
        (None, "for a reason that is not known"),
    ],
)
def test_exit_is_told_in_words(code: int | None, told: str) -> None:
    assert exit_in_words(code) == told


@pytest.mark.usefixtures("quiet")
def test_sweep_survives_a_worker_that_dies_and_makes_the_same_records_as_one_process(
    sweep_tiny: Sweep, write_plugin: WritePlugin, context: RunContext, printed: io.StringIO
) -> None:
    write_plugin("def penalty(self, critic, batch):\n    import os\n    os._exit(7)")
    assert sweep_tiny(context, 2, objectives=["my.py:Mine", "minimax"]) == 1
    records = by_objective(context)
    assert {name: r.status for name, r in records.items()} == {"mine": "failed", "minimax": "completed"}
    assert records["mine"].result.outcome.reason == "the worker process died: exit status 7"
    assert "mine fast seed 0: failed (the worker process died: exit status 7)" in printed.getvalue()
    assert not [name for name in read_names(context) if name.startswith(".")]
    alone = replace(context, folder=context.folder.parent / "alone")
    sweep_tiny(alone, 1, objectives=["minimax"])
    (one,) = read_runs(alone.folder)
    assert one.history.drop(columns="seconds").equals(records["minimax"].history.drop(columns="seconds"))
